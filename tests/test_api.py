"""What `import verirank` offers, used as a notebook does; its examples are run."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pytest

import verirank
from verirank.config import InputError

SMALL = {"sampling.problems_per_step": 4, "evaluation.problems": 8, "evaluation.samples": 2}
SUMS = [{"problem": f"{n}+{n}=", "answer": 2 * n} for n in range(30)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ends_right(problem, completion):
    """Half for a number, half for the right one."""
    numbers = re.findall(r"\d+", completion)
    return 0.5 * bool(numbers) + 0.5 * (numbers[-1:] == [problem.answer])


def uses_a_constant(problem, completion):
    return len(SUMS)


def uses_a_constant_within(problem, completion):
    return sum(1 for _ in completion if [row["answer"] for row in SUMS])


def has_an_attribute_of_that_name(problem, completion):
    return float(hasattr(problem, "SUMS") or re.compile("a").match(completion) is not None)


def has_a_default_from_outside(problem, completion, rows=SUMS):
    return 0.0


def test_importing_the_package_and_listing_its_names_loads_no_torch() -> None:
    code = "import sys, verirank; dir(verirank); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", ["_models", "_tasks", "_trials", "_results"])
def test_the_examples_of_the_interface_run_as_written(module: str) -> None:
    outcome = doctest.testmod(import_module(f"verirank.api.{module}"))
    assert outcome.attempted
    assert not outcome.failed


def test_a_notebooks_way_from_problems_and_a_function_to_a_comparison() -> None:
    task = verirank.define_task(SUMS, reward=ends_right)
    base = verirank.load_model("micro")
    steps: list[int] = []
    runs = [
        verirank.train(
            task,
            out=f"runs/{method}",
            method=method,
            model=base,
            steps=2,
            settings=SMALL,
            on_step=lambda metrics: steps.append(metrics["step"]),
        )
        for method in ("lora", "ia3")
    ]
    assert steps == [1, 2, 1, 2]
    rollouts = verirank.read_table(runs[0], "rollouts")
    assert set(rollouts["reward"].to_pylist()) <= {0.0, 0.5, 1.0}
    assert verirank.read_table(runs[0], "test").num_rows == 2 * 2 * len(
        set(verirank.read_table(runs[0], "test")["problem"].to_pylist())
    )
    board = verirank.compare(runs)
    assert {row.label for row in board.main} == {"lora", "ia3"}
    assert repr(board).startswith("Leaderboard(") and "%" in repr(board)
    assert verirank.read_table(board).to_pandas()["avg_at_k"].between(0, 1).all()
    assert verirank.evaluate(runs[0])["test"]["avg_at_k"] == runs[0].scores["test"]["avg_at_k"]


def test_training_again_into_the_same_folder_returns_the_finished_run() -> None:
    first = verirank.train(out="runs/a", method="ia3", steps=1, settings=SMALL)
    written = (first.folder / "manifest.json").stat().st_mtime_ns
    again = verirank.train(out="runs/a", method="ia3", steps=1, settings=SMALL)
    assert again.status == "done"
    assert (first.folder / "manifest.json").stat().st_mtime_ns == written
    with pytest.raises(InputError, match="other settings of training"):
        verirank.train(out="runs/a", method="ia3", steps=2, settings=SMALL)


def test_how_a_run_is_executed_may_change_when_it_goes_on() -> None:
    def stop(metrics: dict[str, object]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verirank.train(out="runs/a", steps=2, settings=SMALL, on_step=stop)
    changed = SMALL | {"checkpoint.every": 2, "verifier.workers": 1}
    run = verirank.train(out="runs/a", steps=2, settings=changed)
    assert (run.config.checkpoint.every, run.config.verifier.workers) == (2, 1)


def test_a_loaded_model_is_trained_as_it_was_loaded() -> None:
    base = verirank.load_model("micro", dtype="bfloat16")
    run = verirank.train(out="runs/a", model=base, method="ia3", steps=1, settings=SMALL)
    assert run.config.model == base.config
    with pytest.raises(InputError, match="belong in load_model"):
        verirank.train(out="runs/b", model=base, settings={"model.dtype": "float32"})


def test_wrong_steps_are_refused_as_a_wrong_setting() -> None:
    with pytest.raises(InputError, match=r"training\.steps"):
        verirank.train(out="runs/a", steps=0)


def test_equal_problems_and_function_are_the_same_task() -> None:
    again = pa.Table.from_pylist(SUMS)
    assert verirank.define_task(SUMS, reward=ends_right) == verirank.define_task(
        again, reward=ends_right
    )


def test_a_function_that_needs_more_than_modules_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'uses_a_constant' uses SUMS from outside itself"):
        verirank.define_task(SUMS, reward=uses_a_constant)
    with pytest.raises(InputError, match="'uses_a_constant_within' uses SUMS from outside itself"):
        verirank.define_task(SUMS, reward=uses_a_constant_within)
    with pytest.raises(InputError, match=r"cannot stand alone.*SUMS"):
        verirank.define_task(SUMS, reward=has_a_default_from_outside)
    verirank.define_task(SUMS, reward=has_an_attribute_of_that_name)
    with pytest.raises(InputError, match="made by `def`"):
        verirank.define_task(SUMS, reward=lambda problem, completion: 1.0)


def test_an_unknown_table_names_those_that_are_there() -> None:
    run = verirank.train(out="runs/a", method="ia3", steps=1, settings=SMALL)
    with pytest.raises(InputError, match="has no table 'tests'; it has metrics, rollouts, test"):
        verirank.read_table(run, "tests")
