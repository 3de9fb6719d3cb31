import json
from pathlib import Path

import pytest

from verirank.config import InputError, RunFailedError, VerifierConfig, resolve
from verirank.tasks import Problem, grade, load_task
from verirank.verifier import Verifier

SOURCE = """
def graded(problem, completion):
    return 0.5 * ("=" in completion) + 0.5 * completion.endswith(problem.answer)

def broken(problem, completion):
    return 1 / 0
"""


@pytest.fixture
def folder(tmp_path):
    rows = [{"id": n, "problem": f"{n}+{n}=", "answer": 2 * n} for n in range(30)]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "rewards.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture
def verifier():
    with Verifier(VerifierConfig()) as opened:
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


def test_an_error_in_the_function_ends_the_run_with_its_name_and_the_problem(folder, verifier):
    asked = Problem("7", "1+1=", "2")
    with pytest.raises(RunFailedError, match="broken on problem '7': ZeroDivisionError"):
        grade(task(folder, f"{folder}/rewards.py:broken"), verifier, [asked], [["2"]])


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
