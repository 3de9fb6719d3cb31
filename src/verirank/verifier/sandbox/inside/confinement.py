"""What a confined process gives up, by Linux's own means.

Namespaces (user, network, mounts, IPC, processes) leave it no network, no file that can be written
but in its own folder, no device but four harmless ones, and no process outside that it could name.
A filter of system calls leaves it no new process, thread or program, no signal, no socket, no
memory beside its address space. Limits hold what remains: CPU seconds, memory, file sizes.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import struct
import sys
from pathlib import Path

_NEW_NAMESPACES = 0x10000000 | 0x40000000 | 0x20000000 | 0x00020000 | 0x08000000
"""CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWNS and CLONE_NEWIPC."""
_PRIVATE = 0x40000 | 0x4000  # MS_PRIVATE | MS_REC
_BIND, _MOVE = 0x1000, 0x2000
_NO_SETUID, _NO_DEVICES = 0x2, 0x4  # MS_NOSUID and MS_NODEV, and as attributes of a mount, too
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 0x1
_DEVICES = ("null", "zero", "random", "urandom")
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _SET_SECCOMP, _NO_NEW_PRIVILEGES = 1, 4, 22, 38
_FILTER = 2
_KILLED = 9
_NOT_PERMITTED = 1
_CAPABILITY_VERSION = 0x20080522

_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Of each machine its number in a filter, and the column of `_REFUSED`."""
_CAPSET, _PRCTL, _PRLIMIT, _FCNTL, _IOCTL = (126, 91), (157, 167), (302, 261), (72, 25), (16, 29)
_REFUSED_BY_ARGUMENT: tuple[tuple[tuple[int, int], int, tuple[int, ...]], ...] = (
    (_PRCTL, 0, (_SET_DEATH_SIGNAL,)),
    # F_SETOWN, F_SETSIG, F_SETOWN_EX: a file that signals any process; F_SETPIPE_SZ: memory
    (_FCNTL, 1, (8, 10, 15, 1031)),
    (_IOCTL, 1, (0x8901, 0x8902)),  # FIOSETOWN and SIOCSPGRP, the same of sockets
)
"""Calls, the place of an argument, and its values that are refused."""
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    **{"fork": (57, None), "vfork": (58, None), "clone": (56, 220), "clone3": (435, 435)},
    **{"execve": (59, 221), "execveat": (322, 281)},
    **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)},
    **{"rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)},
    **{"pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438)},
    **{"socket": (41, 198), "socketpair": (53, 199), "io_uring_setup": (425, 425)},
    **{"memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194)},
    **{"mq_open": (240, 180), "msgget": (68, 186), "semget": (64, 190)},
    **{"setsid": (112, 157), "setpgid": (109, 154)},
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"process_madvise": (440, 440), "kcmp": (312, 272)},
    **{"setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118)},
    **{"sched_setattr": (314, 274), "sched_setaffinity": (203, 122), "ioprio_set": (251, 30)},
    **{"migrate_pages": (256, 238), "move_pages": (279, 239)},
    **{"unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41)},
    **{"mount": (165, 40), "umount2": (166, 39), "mount_setattr": (442, 442)},
    **{"open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430)},
    **{"fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433)},
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282)},
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    **{"init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104)},
    **{"reboot": (169, 142), "swapon": (167, 224), "acct": (163, 89), "quotactl": (179, 60)},
}

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class RefusedError(Exception):
    """A step of the confinement is refused; the text says which one and why."""


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, which has this id.

    Raises:
        RefusedError: the kernel does not.
    """
    if _libc is not None:
        _require("a signal at the parent's end", _libc.prctl(_SET_DEATH_SIGNAL, _KILLED, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(1)


def hide_memory() -> None:
    """Let no process of the same user look into this one's memory, files or environment.

    Raises:
        RefusedError: the kernel does not hide it.
    """
    if _libc is not None:
        _require("hidden memory", _libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0))


def enter_namespaces(folder: str, folder_bytes: int) -> None:
    """Leave network, IPC, devices, `/proc`, and all files that can be written but a new `folder`.

    What the folder holds is in memory, at most so many bytes, and is gone with the last process.
    The ids of processes are left by `become_first_process`.

    Raises:
        RefusedError: a step is refused.
    """
    if _libc is None:
        raise RefusedError("the system is not Linux")
    user, group = os.getuid(), os.getgid()
    _require("new namespaces", _libc.unshare(_NEW_NAMESPACES))
    try:
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(line, encoding="ascii")
    except OSError as error:
        raise RefusedError(f"the kernel refuses to map a user: {error}") from error
    _mount("private mounts", "none", "/", _PRIVATE)
    _leave_devices(folder)
    _memory_at("/proc", 2**12, mode=555)
    _attributes("/", _AT_RECURSIVE, given=_READ_ONLY | _NO_SETUID | _NO_DEVICES)
    for device in _DEVICES:
        _attributes(f"/dev/{device}", 0, taken=_NO_DEVICES)
    _memory_at(folder, folder_bytes, mode=700)
    os.chdir(folder)


def _leave_devices(folder: str) -> None:
    """Put a new folder with the harmless devices over `/dev`; `folder` holds it meanwhile."""
    _memory_at(folder, 2**16, mode=755)
    for device in _DEVICES:
        Path(folder, device).touch()
        _mount(f"the device {device}", f"/dev/{device}", f"{folder}/{device}", _BIND)
    if Path("/dev") in Path(folder).parents:
        Path(folder, Path(folder).relative_to("/dev")).mkdir(parents=True)
    _mount("devices", folder, "/dev", _MOVE)


def _memory_at(folder: str, most_bytes: int, *, mode: int) -> None:
    options = f"size={most_bytes},mode={mode}"
    flags = _NO_SETUID | _NO_DEVICES
    _mount(f"memory at {folder}", "tmpfs", folder, flags, kind=b"tmpfs", options=options.encode())


def _mount(
    what: str,
    source: str,
    target: str,
    flags: int,
    *,
    kind: bytes | None = None,
    options: bytes = b"",
) -> None:
    assert _libc is not None
    _require(what, _libc.mount(source.encode(), target.encode(), kind, flags, options))


def _attributes(path: str, flags: int, *, given: int = 0, taken: int = 0) -> None:
    assert _libc is not None
    changes = struct.pack("QQQQ", given, taken, 0, 0)
    arguments = (_MOUNT_SETATTR, _AT_FDCWD, path.encode(), flags, changes, len(changes))
    _require(f"attributes of {path}", _libc.syscall(*arguments))


def become_first_process() -> None:
    """Go on as the first process of the namespace, at whose end all others in it end.

    The process that calls this waits for it and ends; if it is killed, the first one is, too.

    Raises:
        RefusedError: the kernel does not kill it.
    """
    outlived, held = os.pipe()
    if first := os.fork():
        os.waitpid(first, 0)
        os._exit(0)
    os.close(held)
    die_with_parent(0)  # which has no id in here
    if select.select([outlived], [], [], 0)[0]:  # and may be gone already
        os._exit(1)
    os.close(outlived)


def limit(cpu_seconds: float, memory_bytes: int, file_bytes: int, descriptors: int) -> None:
    """Limit this process and those to come; CPU in whole seconds, rounded up."""
    seconds = max(1, -int(-cpu_seconds // 1))
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_CORE, 0),
    ):
        _limit_to(what, most)
    if sys.platform == "linux":
        _limit_to(resource.RLIMIT_AS, memory_bytes)


def _limit_to(what: int, most: int) -> None:
    allowed = resource.getrlimit(what)[1]
    most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
    resource.setrlimit(what, (most, most))


def allow_no_process() -> None:
    """Let this user start no process and no thread; a privileged user is not held by this."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def drop_capabilities() -> None:
    """Give up all capabilities, those in the own namespaces too, and the way back to any.

    Raises:
        RefusedError: the kernel keeps them.
    """
    if _libc is None:
        return
    _require("to gain no privileges", _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    if os.uname().machine in _MACHINES:
        call = _CAPSET[_MACHINES[os.uname().machine][1]]
        header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
        none = struct.pack("6I", 0, 0, 0, 0, 0, 0)
        _require("to drop capabilities", _libc.syscall(call, header, none))


def refuse_calls() -> None:
    """Refuse system calls that start, signal, trace or reconfigure, or take memory of their own.

    A refused call returns EPERM, which Python raises as PermissionError.

    Raises:
        RefusedError: no filter is known for this machine, or the kernel takes none.
    """
    if _libc is None or os.uname().machine not in _MACHINES:
        system = f"{sys.platform} on {os.uname().machine}"
        raise RefusedError(f"no filter of system calls is known for {system}")
    program = _program(*_MACHINES[os.uname().machine])
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, padding, their address
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    _require("a filter of system calls", _libc.prctl(_SET_SECCOMP, _FILTER, described, 0, 0))


def _program(machine: int, column: int) -> bytes:
    """Return the filter, in the kernel's classic BPF: 8 bytes an instruction."""
    load, equal, at_least, done = 0x20, 0x15, 0x35, 0x06
    allow, kill, refuse = 0x7FFF0000, 0x80000000, 0x00050000
    number, arch, first_argument = 0, 4, 16

    def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    def returns(code: int, error: int = 0) -> bytes:
        return instruction(done, code | error)

    lines = [
        *(instruction(load, arch), instruction(equal, machine, 1), returns(kill)),
        instruction(load, number),
    ]
    if column == 0:  # x86_64 has a second table of calls behind this bit
        lines += [instruction(at_least, 0x40000000, 0, 1), returns(refuse, _NOT_PERMITTED)]
    for numbers in _REFUSED.values():
        if (refused := numbers[column]) is not None:
            lines += [instruction(equal, refused, 0, 1), returns(refuse, _NOT_PERMITTED)]
    for numbers, place, values in _REFUSED_BY_ARGUMENT:
        tests = [
            line
            for value in values
            for line in (instruction(equal, value, 0, 1), returns(refuse, _NOT_PERMITTED))
        ]
        lines += [
            instruction(equal, numbers[column], 0, len(tests) + 2),
            *(instruction(load, first_argument + 8 * place), *tests, returns(allow)),
        ]
    lines += [  # limits of the caller alone
        *(instruction(equal, _PRLIMIT[column], 0, 4), instruction(load, first_argument)),
        *(instruction(equal, 0, 1, 0), returns(refuse, _NOT_PERMITTED), returns(allow)),
    ]
    return b"".join([*lines, returns(allow)])


def _require(what: str, result: int) -> None:
    if result:
        raise RefusedError(f"the kernel refuses {what}: {os.strerror(ctypes.get_errno())}")
