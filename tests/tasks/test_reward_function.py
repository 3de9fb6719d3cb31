import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from verirank.config import InputError, RunFailedError, VerifierConfig, resolve
from verirank.tasks import Problem, grade, load_task
from verirank.verifier import Verifier

SOURCE = """
import os
import subprocess
import sys
import time
from dataclasses import dataclass

@dataclass
class Marks:
    sum_shown: float
    right: float

def graded(problem, completion):
    return 0.5 * ("=" in completion) + 0.5 * completion.endswith(problem.answer)

def in_parts(problem, completion):
    marks = Marks(0.7 * ("=" in completion), 0.2 * completion.endswith(problem.answer))
    return {"form": marks.sum_shown, "right": marks.right, "short": 0.1}

def hostile(problem, completion):
    if completion == "sleeps":
        time.sleep(3600)
    if completion == "spins":
        while True:
            pass
    if completion == "exits":
        os._exit(3)
    if completion == "raises SystemExit":
        sys.exit(3)
    if completion == "fills memory":
        bytearray(2**40)
    if completion.startswith("starts "):
        subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)", completion])
    return 1

def process(problem, completion):
    return os.getpid()

def broken(problem, completion):
    return 1 / 0

def no_number(problem, completion):
    return float("nan")

def nothing(problem, completion):
    return None
"""
DEADLINE = 0.3
ASKED = Problem("1", "1+1=", "2")


@pytest.fixture
def folder(tmp_path):
    rows = [{"id": n, "problem": f"{n}+{n}=", "answer": 2 * n} for n in range(30)]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "rewards.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture(scope="module")
def verifier():
    with Verifier(VerifierConfig(deadline_seconds=DEADLINE, workers=2)) as opened:
        yield opened


def task(folder: Path, reward: str):
    settings = {"name": str(folder / "sums.jsonl"), "reward": reward}
    return load_task(resolve({"task": settings}).task)


def test_a_graded_reward_reaches_training_and_counts_as_correct_only_in_full(folder, verifier):
    asked = Problem("1", "1+1=", "2")
    rewards = grade(
        task(folder, f"{folder}/rewards.py:graded"), verifier, [asked], [["1+1=2", "it is 2", "9"]]
    )
    assert [r.value for r in rewards[0]] == [1.0, 0.5, 0.0]
    assert [r.correct for r in rewards[0]] == [True, False, False]


def test_the_reward_of_named_numbers_is_their_sum(folder, verifier):
    (rewards,) = grade(
        task(folder, f"{folder}/rewards.py:in_parts"), verifier, [ASKED], [["1+1=2", "2"]]
    )
    assert dict(rewards[0].components) == {"form": 0.7, "right": 0.2, "short": 0.1}
    assert (rewards[0].value, rewards[0].correct) == (1.0, True)
    assert rewards[1].value == pytest.approx(0.3)
    assert not rewards[1].correct


@pytest.mark.parametrize(
    ("completion", "reasons"),
    [
        ("sleeps", {"deadline"}),
        ("spins", {"deadline", "unverified"}),
        ("exits", {"crashed"}),
        ("raises SystemExit", {"crashed"}),
        ("fills memory", {"memory"}),
    ],
)
def test_a_call_that_hangs_or_dies_costs_its_own_completion_a_zero(
    folder, verifier, completion, reasons
):
    texts = ["fine", completion, "fine", "fine"]
    (rewards,) = grade(task(folder, f"{folder}/rewards.py:hostile"), verifier, [ASKED], [texts])
    assert [reward.value for reward in rewards] == [1.0, 0.0, 1.0, 1.0]
    assert rewards[1].reason in reasons
    assert rewards[1].seconds < DEADLINE + 2


def test_what_a_call_has_started_ends_with_it(folder, verifier):
    mark = f"starts {folder}"
    (rewards,) = grade(task(folder, f"{folder}/rewards.py:hostile"), verifier, [ASKED], [[mark]])
    assert rewards[0].reason == "deadline"
    left = [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or ())]
    _, alive = psutil.wait_procs(left, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_functions_run_in_processes_of_their_own_and_see_the_callers_modules(
    folder, verifier, monkeypatch
):
    monkeypatch.syspath_prepend(str(folder))
    (rewards,) = grade(task(folder, "rewards:process"), verifier, [ASKED], [["1", "2", "3"]])
    assert os.getpid() not in {reward.value for reward in rewards}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("broken", "broken on problem '7': ZeroDivisionError"),
        ("no_number", "no_number on problem '7' returned nan"),
        ("nothing", "nothing on problem '7': TypeError"),
    ],
)
def test_a_mistake_of_the_function_ends_the_run_with_its_name_and_the_problem(
    folder, verifier, function, message
):
    asked = Problem("7", "1+1=", "2")
    with pytest.raises(RunFailedError, match=message):
        grade(task(folder, f"{folder}/rewards.py:{function}"), verifier, [asked], [["2"]])


def test_another_source_of_the_function_is_another_task(folder):
    before = task(folder, f"{folder}/rewards.py:graded").fingerprint()
    assert before == task(folder, f"{folder}/rewards.py:graded").fingerprint()
    (folder / "rewards.py").write_text(SOURCE + "\n# changed\n")
    assert before != task(folder, f"{folder}/rewards.py:graded").fingerprint()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rewards.py:none", "has no function 'none'"),
        ("missing.py:graded", "cannot import .*missing.py"),
        ("no_such_module_here:graded", "cannot import no_such_module_here"),
        ("rewards.py", "write FILE.py:FUNCTION"),
    ],
)
def test_a_name_that_leads_nowhere_is_an_input_error(folder, monkeypatch, name, message):
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=message):
        task(folder, name)


def test_what_a_worker_imports_of_the_package_holds_no_torch():
    code = "import sys, verirank.tasks; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
