"""What the code of an answer can do in the sandbox, and what it cannot."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from verirank.config import VerifierConfig
from verirank.verifier import SANDBOXED_TESTS, Reward, Verifier, sandbox_lacks

LACKING = sandbox_lacks()
# Only what the kernel itself does not offer is a reason to skip: anything else is a fault of ours.
CONFINED = pytest.mark.skipif(
    LACKING.startswith(("no sandbox: the kernel refuses new namespaces", "no sandbox: the system"))
    or "no filter of system calls is known" in LACKING,
    reason=LACKING or "confined",
)
LATE = ("deadline", "unverified")  # which of them depends on how busy the machine is


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(VerifierConfig(deadline_seconds=10.0, workers=1)) as opened:
        yield opened


def run(
    verifier: Verifier,
    answer: str,
    *tests: str,
    isolation: str = "namespaces",
    before: str = "",
    entry_point: str = "",
    seconds: float = 10.0,
) -> Reward:
    limits = {"seconds": seconds, "memory_bytes": 2**28, "namespaces": isolation == "namespaces"}
    spec = {"tests": tests or ["assert f(1) == 2"], "setup": "", "before": before}
    gold = json.dumps(spec | {"entry_point": entry_point, "limits": limits})
    return verifier.verify(gold, answer, comparison=SANDBOXED_TESTS)


RIGHT = {
    "a function": ("def f(x):\n    return x + 1", "assert f(1) == 2"),
    "a subclass of a plain value": (
        "from collections import Counter\ndef f(x):\n    return Counter(x)",
        "assert f('aab') == {'a': 2, 'b': 1}",
    ),
    "an argument changed in place": (
        "def f(x):\n    x.sort()",
        "a = [3, 1]\nf(a)\nassert a == [1, 3]",
    ),
    "an object of its own class": (
        "class P:\n    def __init__(self, a):\n        self.a = a\n"
        "def f(ps):\n    return max(p.a for p in ps)",
        "assert f([P(1), P(5)]) == 5",
        "p = P(3)\np.a = 4\nassert p.a == 4",
    ),
    "an object that is given back": (
        "class P:\n    pass\np = P()\ndef f():\n    return p",
        "assert f() == f()\nassert f() in [f()]\nassert len({f(), f()}) == 1",
    ),
    "a generator without end": (
        "def f():\n    i = 0\n    while True:\n        yield i\n        i += 1",
        "import itertools\nassert list(itertools.islice(f(), 3)) == [0, 1, 2]",
    ),
    "an exception that is expected": (
        "def f(x):\n    raise ValueError('no')",
        "try:\n    f(1)\nexcept ValueError:\n    pass\nelse:\n    assert False",
    ),
    "numbers of all kinds": (
        "def f(x):\n    return [x**100, 0.1, (1, 2), {3}, 1j, b'4', range(5), None, True]",
        "assert f(7) == [7**100, 0.1, (1, 2), {3}, 1j, b'4', range(5), None, True]",
    ),
    "a file in its folder": (
        "import os\nopen('a', 'w').write('2')\n"
        "def f(x):\n    return os.getcwd() == os.environ['HOME'], open('a').read()",
        "assert f(1) == (True, '2')",
    ),
    "a module that the tests name": ("def f(x):\n    return x / 3", "assert math.isclose(f(6), 2)"),
}


@pytest.mark.parametrize("name", [*RIGHT])
@CONFINED
def test_right_programs_pass(verifier: Verifier, name: str) -> None:
    reward = run(verifier, *RIGHT[name])
    assert (reward.correct, reward.reason) == (True, "passed")


@pytest.mark.parametrize("body", ["    return a + b", "def add(a, b):\n    return a + b"])
@CONFINED
def test_an_answer_goes_on_with_a_beginning_or_repeats_it(verifier: Verifier, body: str) -> None:
    before = 'import math\n\ndef add(a: int, b: int) -> int:\n    """Add."""\n'
    test = "def check(candidate):\n    assert candidate(1, 2) == 3"
    assert run(verifier, body, test, before=before, entry_point="add").correct
    wrong = body.replace("+", "-")
    assert not run(verifier, wrong, test, before=before, entry_point="add").correct


ALWAYS_EQUAL = "    def __eq__(self, other):\n        return True\n"
FORGERIES = {
    "ends the process": "import os\nos._exit(0)",
    "ends the process in the test": "import os\ndef f(x):\n    os._exit(0)",
    "exits before the tests": "import sys\nsys.exit(0)",
    "exits in the test": "import sys\ndef f(x):\n    sys.exit(0)",
    "prints that it passed": "print('passed')\ndef f(x):\n    return 3",
    "writes to every descriptor": (
        "import os\nfor fd in range(64):\n    try:\n        os.write(fd, b'x passed')\n"
        "    except OSError:\n        pass\ndef f(x):\n    return 3"
    ),
    "is equal to everything": f"class A:\n{ALWAYS_EQUAL}def f(x):\n    return A()",
    "is a number equal to everything": f"class A(int):\n{ALWAYS_EQUAL}def f(x):\n    return A(9)",
    "replaces AssertionError": (
        "import builtins\nclass E(Exception):\n    pass\nbuiltins.AssertionError = E\n"
        "def f(x):\n    return 3"
    ),
    "looks for the token": (
        "import gc, sys\nfound = [o for o in gc.get_objects() if isinstance(o, dict)]\n"
        "frame = sys._getframe()\nwhile frame:\n    found.append(frame.f_locals)\n"
        "    frame = frame.f_back\n"
        "def f(x):\n    return 2 if any('token' in d for d in found) else 3"
    ),
    "reads the tests' memory": (
        "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')\ndef f(x):\n    return 2"
    ),
}


@pytest.mark.parametrize("name", [*FORGERIES])
@CONFINED
def test_a_verdict_cannot_be_forged(verifier: Verifier, name: str) -> None:
    reward = run(verifier, FORGERIES[name])
    assert (reward.value, reward.reason) == (0.0, "failed")


@CONFINED
def test_functions_that_the_tests_use_are_not_the_answers(verifier: Verifier) -> None:
    answer = (
        "import builtins, math\nbuiltins.set = math.isclose = lambda *a, **k: True\n"
        "def set(x):\n    return 1\ndef isclose(a, b):\n    return True\ndef f(x):\n    return [5]"
    )
    for test in (
        "assert set(f(1)) == {2}",
        "from math import isclose\nassert isclose(f(1)[0], 2)",
        "assert math.isclose(f(1)[0], 2)",
    ):
        assert not run(verifier, answer, test).correct


C = (
    "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\ndef c(result):\n"
    "    if result < 0:\n        raise OSError(ctypes.get_errno(), 'refused')\n"
)
ATTACKS = {
    "forks": "import os\nos.fork()",
    "starts a program": "import subprocess\nsubprocess.run(['true'])",
    "starts a thread": "import threading\nthreading.Thread(target=print).start()",
    "opens a socket": "import socket\nsocket.socket()",
    "opens a pair of sockets": "import socket\nsocket.socketpair()",
    "kills the tests": "import os\nos.kill(os.getppid(), 9)",
    "limits the tests": (
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))"
    ),
    "outlives the tests": f"{C}c(libc.prctl(1, 0, 0, 0, 0))",
    "leaves its group": "import os\nos.setsid()",
    "mounts": f"{C}c(libc.mount(b'none', b'/', None, 32 | 4096, None))",
    "writes a file that is too large": (
        "with open('a', 'wb', 0) as file:\n    file.seek(2**26)\n    file.write(b'x')"
    ),
    "takes all memory": "x = [0] * 10**9",
    "takes memory as a file": "import os\nos.memfd_create('a')",
    "takes memory as a secret file": f"{C}c(libc.syscall(447, 0))",
    "takes memory as a shared segment": f"{C}c(libc.shmget(0, 2**20, 0o1600))",
    "takes memory as a queue": f"{C}c(libc.mq_open(b'/a', 66, 0o600, None))",
    "takes memory as a large pipe": "import fcntl, os\nfcntl.fcntl(os.pipe()[0], 1031, 2**20)",
    "has a pipe signal": "import fcntl, os\nfcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, 1)",
    "has a pipe signal, by another call": (
        "import fcntl, os, struct\nfcntl.fcntl(os.pipe()[0], 15, struct.pack('ii', 1, 1))"
    ),
    "chooses the signal of a pipe": (
        "import fcntl, os\nfcntl.fcntl(os.pipe()[0], fcntl.F_SETSIG, 9)"
    ),
    "has a file signal": (
        "import fcntl, os, struct\nfcntl.ioctl(os.pipe()[0], 0x8901, struct.pack('i', 1))"
    ),
    "has a file signal its group": (
        "import fcntl, os, struct\nfcntl.ioctl(os.pipe()[0], 0x8902, struct.pack('i', 1))"
    ),
}
ISOLATIONS = [pytest.param("namespaces", marks=CONFINED), "limits"]


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("name", [*ATTACKS])
def test_what_would_reach_out_is_refused(verifier: Verifier, name: str, isolation: str) -> None:
    indented = ATTACKS[name].replace("\n", "\n    ")
    tried = (
        f"refused = False\ntry:\n    {indented}\n"
        "except (PermissionError, RuntimeError, MemoryError):\n    refused = True\n"
        "except OSError as error:\n    refused = error.errno == 27\n"  # EFBIG
        "def f(x):\n    return 2 if refused else 3"
    )
    # It passes where the attack is refused and both processes are still there to say so.
    assert run(verifier, tried, isolation=isolation).reason == "passed"


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "3600"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_another_process_is_not_killed(
    verifier: Verifier, victim: subprocess.Popen[bytes], isolation: str
) -> None:
    attack = f"""
import fcntl, os, socket, struct
from contextlib import suppress
def each(*steps):
    for step in steps:
        with suppress(OSError):
            step()
def signalling(reading, writing):
    flags = fcntl.fcntl(reading, fcntl.F_GETFL) | os.O_ASYNC
    each(
        lambda: fcntl.fcntl(reading, fcntl.F_SETOWN, {victim.pid}),
        lambda: fcntl.fcntl(reading, 15, struct.pack("ii", 1, {victim.pid})),
        lambda: fcntl.ioctl(reading, 0x8901, struct.pack("i", {victim.pid})),
        lambda: fcntl.ioctl(reading, 0x8902, struct.pack("i", {victim.pid})),
        lambda: fcntl.fcntl(reading, fcntl.F_SETSIG, 9),
        lambda: fcntl.fcntl(reading, fcntl.F_SETFL, flags),
        lambda: os.write(writing, b"x"),
    )
each(
    lambda: os.kill({victim.pid}, 9),
    lambda: signalling(*os.pipe()),
    lambda: signalling(*(end.detach() for end in socket.socketpair())),
)
def f(x):
    return 2
"""
    assert run(verifier, attack, isolation=isolation).reason == "passed"
    with pytest.raises(subprocess.TimeoutExpired):
        victim.wait(timeout=0.2)


@CONFINED
def test_no_process_and_no_device_outside_can_be_seen(verifier: Verifier) -> None:
    answer = (
        "import os\ndef f():\n"
        "    return os.getpid(), os.getppid(), os.listdir('/proc'), sorted(os.listdir('/dev'))\n"
        "def g():\n    with open('/dev/null', 'w') as file:\n        file.write('x')\n"
        "    return len(open('/dev/urandom', 'rb').read(3))"
    )
    test = "assert f() == (2, 1, [], ['null', 'random', 'urandom', 'zero'])\nassert g() == 3"
    assert run(verifier, answer, test).reason == "passed"


@CONFINED
def test_a_device_elsewhere_cannot_be_opened(verifier: Verifier, tmp_path: Path) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only a privileged user makes devices")
    answer = f"def f(x):\n    return open({str(device)!r}, 'w').close() or 2"
    assert run(verifier, answer, isolation="limits").reason == "passed"
    assert run(verifier, answer).reason == "failed"


def test_what_cannot_be_confined_is_not_run_and_says_why(
    verifier: Verifier, tmp_path: Path
) -> None:
    limits = {"seconds": 10.0, "memory_bytes": "no number", "namespaces": False}
    spec = {"tests": ["assert f(1) == 2"], "setup": "", "before": "", "entry_point": ""}
    ran = tmp_path / "ran"
    answer = f"open({str(ran)!r}, 'w')\ndef f(x):\n    return 2"
    gold = json.dumps(spec | {"limits": limits})
    reward = verifier.verify(gold, answer, comparison=SANDBOXED_TESTS)
    assert reward.value == 0.0
    assert re.match("no sandbox: .", reward.reason)
    assert not ran.exists()


@CONFINED
def test_nothing_outside_can_be_written(verifier: Verifier, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    for path in (tmp_path / "new", tmp_path / "kept", Path("/dev/shm/verirank-sandbox-test")):
        tried = f"open({str(path)!r}, 'w').write('x')\ndef f(x):\n    return 2"
        assert not run(verifier, tried).correct
    assert (tmp_path / "kept").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@CONFINED
def test_no_environment_but_its_own_can_be_read(
    verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "1")
    tried = (
        "import glob, os\nsaid = repr(dict(os.environ))\n"
        "for file in glob.glob('/proc/[0-9]*/environ'):\n    try:\n"
        "        said += open(file).read()\n    except OSError:\n        pass\n"
        "def f(x):\n    return 'SECRET_OF' in said or 'PATH' in os.environ"
    )
    assert run(verifier, tried, "assert f(1) is False").correct
    assert "SECRET_OF_THE_PARENT" in os.environ


@pytest.mark.parametrize(
    "loop",
    ["while True:\n        pass", "import time\n    time.sleep(99)"],
    ids=["computes", "sleeps"],
)
@CONFINED
def test_what_does_not_end_is_ended(verifier: Verifier, loop: str) -> None:
    reward = run(verifier, f"def f(x):\n    {loop}", seconds=1.0)
    assert (reward.value, reward.reason in LATE) == (0.0, True)
    assert not survivors()


@CONFINED
def test_gigabytes_of_output_go_nowhere(verifier: Verifier) -> None:
    reward = run(verifier, "while True:\n    print('x' * 10**6)", seconds=1.0)
    assert (reward.value, reward.reason in LATE) == (0.0, True)
    large = "def f(x):\n    return 'x' * 2**24"
    assert run(verifier, large, "assert f(1)").reason == "failed"


@CONFINED
def test_neither_folders_nor_processes_are_left(verifier: Verifier) -> None:
    answer = "import os\ndef f(x):\n    return os.getcwd()"
    name, folders = "verirank-sandbox-", Path(os.environ.get("TMPDIR", "/tmp"))
    before = {*folders.glob(f"{name}*")}  # what a killed run has left is none of this one's
    assert run(verifier, answer, f"assert {name!r} in f(1)", isolation="limits").correct
    assert not survivors()
    assert {*folders.glob(f"{name}*")} <= before


def survivors() -> list[psutil.Process]:
    """Return the processes of sandboxes that this process's workers have left."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "inside" in " ".join(child.cmdline())]
