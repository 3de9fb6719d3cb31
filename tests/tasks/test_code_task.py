"""Programs as answers: rows of both layouts, the program in a completion, and its reward."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from verirank.config import InputError, RunFailedError, VerifierConfig, resolve
from verirank.models import BaseModel, load_base
from verirank.record import Run
from verirank.sampling import TransformersSampler
from verirank.tasks import Task, grade, load_task
from verirank.tasks.programs import _task, program_problems, source_in
from verirank.training import train
from verirank.verifier import Verifier, sandbox_lacks

LACKING = sandbox_lacks()
# Only what the kernel itself does not offer is a reason to skip: anything else is a fault of ours.
CONFINED = pytest.mark.skipif(
    LACKING.startswith(("no sandbox: the kernel refuses new namespaces", "no sandbox: the system"))
    or "no filter of system calls is known" in LACKING,
    reason=LACKING or "confined",
)
MBPP = {
    "task_id": 11,
    "text": "Write a function to remove the first character of a string.",
    "code": "def cut(s):\n    return s[1:]",
    "test_setup_code": "",
    "test_list": ["assert cut('abc') == 'bc'", "assert cut('') == ''"],
}
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x: int) -> int:\n    """Return twice x."""\n',
    "canonical_solution": "    return 2 * x\n",
    "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(2) == 4\n",
    "entry_point": "double",
}


def written(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "programs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def numbered(n: int) -> list[dict[str, Any]]:
    return [MBPP | {"task_id": i, "text": f"Write function {i}."} for i in range(n)]


def task(problems: str, **settings: Any) -> Task:
    return load_task(resolve({"task": {"name": "code", "problems": problems, **settings}}).task)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(VerifierConfig(workers=1)) as opened:
        yield opened


@CONFINED
def test_rows_like_mbpps_are_rewarded_where_all_tests_pass(
    tmp_path: Path, verifier: Verifier
) -> None:
    code = task(written(tmp_path, [MBPP, *numbered(5)]))
    problem = next(problem for problem in code.own_problems() if problem.id == "11")
    assert "pass this test:\nassert cut('abc') == 'bc'" in problem.prompt
    assert "assert cut('')" not in problem.prompt
    texts = [
        f"So:\n```python\n{MBPP['code']}\n```\nThat is it.",
        MBPP["code"],
        "```python\ndef cut(s):\n    return 'bc'\n```",
        "```python\n",
    ]
    (rewards,) = grade(code, verifier, [problem], [texts])
    assert [r.value for r in rewards] == [1, 1, 0, 0]
    assert [r.reason for r in rewards] == ["passed", "passed", "failed", "no answer"]


@CONFINED
def test_rows_like_humanevals_are_completed_or_repeated(tmp_path: Path, verifier: Verifier) -> None:
    rows = [HUMANEVAL | {"task_id": i, "prompt": f"# {i}\n{HUMANEVAL['prompt']}"} for i in range(6)]
    code = task(written(tmp_path, rows))
    problem = code.training_problem(0, 0)
    assert problem.prompt.startswith("Complete this function:\n```python\n# ")
    whole = "```python\ndef double(x):\n    return x + x\n```"
    texts = [whole, HUMANEVAL["canonical_solution"], whole.replace("+", "-")]
    (rewards,) = grade(code, verifier, [problem], [texts])
    assert [reward.value for reward in rewards] == [1, 1, 0]


@pytest.mark.parametrize(
    ("completion", "source"),
    [
        ("x = 1", "x = 1"),
        ("```python\nx = 1\n```\nor\n```python\nx = 2\n```", "x = 2\n"),
        ("```py\nx = 1\n```\nprints\n```text\n1\n```", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("  ```python\n  x = 1", "  x = 1"),
        ("```python\n    return 1\n```", "    return 1\n"),
        (" \n", None),
    ],
)
def test_the_last_block_of_python_is_the_program(completion: str, source: str | None) -> None:
    assert source_in(completion) == source


@pytest.mark.parametrize("filler", ["a", " "])
def test_a_long_line_is_read_in_little_time(filler: str) -> None:
    text = "```" + filler * 200_000
    start = perf_counter()
    assert source_in(text) == text
    assert perf_counter() - start < 1.0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"test_list": ["assert ("]}, "a test is not Python: 'assert \\('"),
        ({"test_list": ["cut('abc')"]}, "the tests assert nothing"),
        ({"test_list": None}, "lacks 'test' or 'tests'"),
        ({"text": None}, "lacks 'prompt' or 'text'"),
        ({"test_list": [3]}, "must be text or a list of texts"),
    ],
)
def test_rows_that_cannot_be_used_are_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        program_problems([(1, MBPP | changes)], "rows")
    with pytest.raises(InputError, match="rows:2: the id '11' stands in an earlier row"):
        program_problems([(1, MBPP), (2, MBPP)], "rows")


CHECK = "def check(candidate):\n    assert candidate(2) == 4\n"


@pytest.mark.parametrize(
    "test",
    [
        CHECK,
        "def test_cut():\n    assert cut('abc') == 'bc'",
        "class TestCut:\n    def test(self):\n        assert cut('abc') == 'bc'",
        "if __name__ == '__main__':\n    assert cut('abc') == 'bc'",
        "if False:\n    assert cut('abc') == 'bc'",
        "async def check():\n    assert cut('abc') == 'bc'\ncheck()",
        "def check():\n    assert cut('abc') == 'bc'\n    yield\ncheck()",
        "def inner():\n    assert cut('abc') == 'bc'\ndef test():\n    inner()",
    ],
)
def test_rows_whose_asserts_never_run_are_refused(test: str) -> None:
    row = {"task_id": 1, "prompt": "Cut.", "test": test}
    with pytest.raises(InputError, match="rows:1: the tests assert nothing when they run"):
        program_problems([(1, row)], "rows")


@pytest.mark.parametrize(
    "changes",
    [
        {"test": CHECK, "entry_point": "double"},
        {"test": f"{CHECK}\ncheck(double)"},
        {"test": "def inner():\n    assert cut('a') == ''\ndef test():\n    inner()\ntest()"},
        {"test": "class T:\n    def test(self):\n        assert cut('a') == ''\nT().test()"},
        {"test": "for a in 'ab':\n    assert cut(a) == ''"},
        {"test": "try:\n    cut(3)\nexcept TypeError:\n    pass\nelse:\n    assert False"},
        {
            "test_list": ["same(cut('a'), '')"],
            "test_setup_code": "def same(a, b):\n    assert a == b",
        },
    ],
)
def test_rows_whose_asserts_run_are_taken(changes: dict[str, Any]) -> None:
    (problem,) = program_problems([(1, {"task_id": 1, "prompt": "Cut."} | changes)], "rows")
    assert problem.id == "1"


@CONFINED
def test_another_file_of_problems_is_a_bench(tmp_path: Path) -> None:
    code = task(written(tmp_path, numbered(6)))
    other = tmp_path / "bench.jsonl"
    other.write_text(json.dumps(HUMANEVAL))
    assert [problem.id for problem in code.bench(str(other), 9)] == ["HumanEval/0"]
    with pytest.raises(InputError, match="any file of problems with tests"):
        code.bench("humaneval", 9)


def test_without_namespaces_code_runs_only_where_the_user_accepts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_task, "sandbox_lacks", lambda: "no sandbox: the kernel refuses")
    problems = written(tmp_path, numbered(6))
    with pytest.raises(InputError, match=r"the kernel refuses.*task\.isolation=limits"):
        task(problems)
    accepted = task(problems, isolation="limits")
    assert "runs within limits alone (no sandbox: the kernel refuses)" in accepted.remarks()[0]
    assert accepted.recorded() == {"sandbox": {"isolation": "limits", "confined": False}}


def test_the_reason_of_a_program_that_is_not_confined_ends_the_run(
    tmp_path: Path, verifier: Verifier
) -> None:
    code = task(written(tmp_path, numbered(6)), isolation="limits")
    code.config = code.config.model_copy(update={"memory_bytes": "no number"})
    with pytest.raises(RunFailedError, match=r"cannot be confined: no sandbox: ."):
        code.judge(verifier, [(code.training_problem(0, 0), MBPP["code"])])


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(resolve({}).model)


@CONFINED
def test_the_manifest_tells_what_held_the_code(
    tmp_path: Path, base: BaseModel, verifier: Verifier
) -> None:
    settings = {
        "task": {"name": "code", "problems": written(tmp_path, numbered(6))},
        "sampling": {"problems_per_step": 1, "group_size": 2, "max_new_tokens": 8},
        "training": {"steps": 1},
    }
    run = Run.create(tmp_path / "run", resolve(settings))
    train(run, base, TransformersSampler(base), verifier)
    assert run.manifest["sandbox"] == {"isolation": "namespaces", "confined": True}
