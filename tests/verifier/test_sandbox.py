"""What the code of an answer can do in the sandbox, and what it cannot."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from verirank.config import VerifierConfig
from verirank.verifier import SANDBOXED_TESTS, Reward, Verifier, sandbox_lacks

CONFINED = pytest.mark.skipif(bool(sandbox_lacks()), reason=f"no namespaces: {sandbox_lacks()}")
LATE = ("deadline", "unverified")  # which of them depends on how busy the machine is


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(VerifierConfig(deadline_seconds=1.0, workers=1)) as opened:
        yield opened


def run(
    verifier: Verifier,
    answer: str,
    *tests: str,
    isolation: str = "namespaces",
    before: str = "",
    entry_point: str = "",
) -> Reward:
    limits = {"seconds": 1.0, "memory_bytes": 2**28, "namespaces": isolation == "namespaces"}
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


ATTACKS = {
    "forks": "import os\nos.fork()",
    "starts a program": "import subprocess\nsubprocess.run(['true'])",
    "starts a thread": "import threading\nthreading.Thread(target=print).start()",
    "opens a socket": "import socket\nsocket.socket()",
    "kills the tests": "import os\nos.kill(os.getppid(), 9)",
    "limits the tests": (
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))"
    ),
    "leaves its group": "import os\nos.setsid()",
    "mounts": (
        "import ctypes\n"
        "if ctypes.CDLL(None).mount(b'none', b'/', None, 32 | 4096, None):\n    raise OSError"
    ),
    "writes a file that is too large": "open('a', 'w').write('x' * 2**27)",
    "takes all memory": "x = [0] * 10**9",
}


@pytest.mark.parametrize("isolation", ["namespaces", "limits"])
@pytest.mark.parametrize("name", [*ATTACKS])
@CONFINED
def test_what_would_reach_out_is_refused(verifier: Verifier, name: str, isolation: str) -> None:
    tried = f"{ATTACKS[name]}\ndef f(x):\n    return 2"
    reward = run(verifier, tried, isolation=isolation)
    assert (reward.value, reward.reason in ("failed", "memory")) == (0.0, True)


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
    reward = run(verifier, f"def f(x):\n    {loop}")
    assert (reward.value, reward.reason in LATE) == (0.0, True)
    assert not survivors()


@CONFINED
def test_gigabytes_of_output_go_nowhere(verifier: Verifier) -> None:
    reward = run(verifier, "while True:\n    print('x' * 10**6)")
    assert (reward.value, reward.reason in LATE) == (0.0, True)
    large = "def f(x):\n    return 'x' * 2**24"
    assert run(verifier, large, "assert f(1)").reason == "failed"


@CONFINED
def test_neither_folders_nor_processes_are_left(verifier: Verifier) -> None:
    answer = "import os\ndef f(x):\n    return os.getcwd()"
    name = "verirank-sandbox-"
    assert run(verifier, answer, f"assert {name!r} in f(1)", isolation="limits").correct
    assert not survivors()
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"{name}*"))


def survivors() -> list[psutil.Process]:
    """Return the processes of sandboxes that this process's workers have left."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "inside" in " ".join(child.cmdline())]
