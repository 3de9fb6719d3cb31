"""What a confined process gives up, by Linux's own means.

Namespaces (user, network, mounts, IPC) leave it no network, no file that can be written but in its
own folder, and no right over processes outside. A filter of system calls leaves it no new process,
thread or program, no signal, no socket. Limits hold what remains: CPU seconds, memory, file sizes.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys

_NEW_NAMESPACES = 0x10000000 | 0x40000000 | 0x00020000 | 0x08000000
"""CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS and CLONE_NEWIPC."""
_PRIVATE = 0x40000 | 0x4000  # MS_PRIVATE | MS_REC
_NO_SETUID_OR_DEVICES = 0x2 | 0x4  # MS_NOSUID | MS_NODEV
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 0x1
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _SET_SECCOMP, _NO_NEW_PRIVILEGES = 1, 4, 22, 38
_FILTER = 2
_KILLED = 9
_NOT_PERMITTED = 1
_CAPABILITY_VERSION = 0x20080522

_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Of each machine its number in a filter, and the column of `_REFUSED`."""
_CAPSET, _PRCTL, _PRLIMIT = (126, 91), (157, 167), (302, 261)
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    **{"fork": (57, None), "vfork": (58, None), "clone": (56, 220), "clone3": (435, 435)},
    **{"execve": (59, 221), "execveat": (322, 281)},
    **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)},
    **{"rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)},
    **{"pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438)},
    **{"socket": (41, 198), "io_uring_setup": (425, 425)},
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


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, which has this id."""
    if _libc is not None:
        _libc.prctl(_SET_DEATH_SIGNAL, _KILLED, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def hide_memory() -> None:
    """Let no process of the same user look into this one's memory, files or environment."""
    if _libc is not None:
        _libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def enter_namespaces(folder: str, folder_bytes: int) -> str:
    """Leave network, IPC and all files that can be written but a new `folder`; return why not.

    What the folder holds is in memory, at most so many bytes, and is gone with the last process.
    """
    if _libc is None:
        return "the system is not Linux"
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_NEW_NAMESPACES):
        return f"the kernel refuses a user namespace: {_error()}"
    try:
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(line)
    except OSError as error:
        return f"the kernel refuses to map a user: {error}"
    read_only = struct.pack("QQQQ", _READ_ONLY, 0, 0, 0)
    size = f"size={folder_bytes},mode=700".encode()
    steps = {
        "private mounts": lambda: _libc.mount(b"none", b"/", None, _PRIVATE, None),
        "read-only files": lambda: _libc.syscall(
            *(_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, read_only, len(read_only))
        ),
        "a folder in memory": lambda: _libc.mount(
            *(b"tmpfs", folder.encode(), b"tmpfs", _NO_SETUID_OR_DEVICES, size)
        ),
    }
    for what, step in steps.items():
        if step():
            return f"the kernel refuses {what}: {_error()}"
    os.chdir(folder)
    return ""


def limit(cpu_seconds: float, memory_bytes: int, file_bytes: int, descriptors: int) -> None:
    """Limit this process and those to come; CPU in whole seconds, rounded up."""
    seconds = max(1, -int(-cpu_seconds // 1))
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    if sys.platform == "linux":
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        memory = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def allow_no_process() -> None:
    """Let this user start no process and no thread; a privileged user is not held by this."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def drop_capabilities() -> None:
    """Give up all capabilities, those in the own namespaces too, and the way back to any."""
    if _libc is None:
        return
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    column = _MACHINES.get(os.uname().machine, (0, None))[1]
    if column is not None:
        header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
        _libc.syscall(_CAPSET[column], header, struct.pack("6I", 0, 0, 0, 0, 0, 0))


def refuse_calls() -> str:
    """Refuse system calls that start, signal, trace or reconfigure; return why that fails.

    A refused call returns EPERM, which Python raises as PermissionError.
    """
    if _libc is None or os.uname().machine not in _MACHINES:
        return f"no filter of system calls is known for {sys.platform} on {os.uname().machine}"
    program = _program(*_MACHINES[os.uname().machine])
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, padding, their address
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if _libc.prctl(_SET_SECCOMP, _FILTER, described, 0, 0):
        return f"the kernel refuses a filter of system calls: {_error()}"
    return ""


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
    of_argument = [
        (_PRCTL[column], instruction(equal, _SET_DEATH_SIGNAL, 0, 1)),  # never this one
        (_PRLIMIT[column], instruction(equal, 0, 1, 0)),  # of the caller alone
    ]
    for called, test in of_argument:
        lines += [
            *(instruction(equal, called, 0, 4), instruction(load, first_argument), test),
            *(returns(refuse, _NOT_PERMITTED), returns(allow)),
        ]
    return b"".join([*lines, returns(allow)])


def _error() -> str:
    return os.strerror(ctypes.get_errno())
