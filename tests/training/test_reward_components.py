"""A reward of named numbers, and a call that hangs, in a run."""

from __future__ import annotations

import json

import pytest

import command_line
import verirank
from verirank.config import VerifierConfig, override, resolve
from verirank.models import BaseModel
from verirank.record import Run, read_rollouts
from verirank.sampling import TransformersSampler
from verirank.training import train
from verirank.verifier import Verifier

SOURCE = """
import time
from pathlib import Path

def reward(problem, completion):
    try:
        Path(__file__).with_name("hung").touch(exist_ok=False)
    except FileExistsError:
        shown = {"thought": 0.25} if "/" in completion else {}
        return shown | {"right": 0.75 * completion.endswith("{" + problem.answer + "}")}
    time.sleep(3600)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, base: BaseModel) -> Run:
    tmp_path = tmp_path_factory.mktemp("run")
    rows = [{"problem": f"{a}+{b}=", "answer": a + b} for a in range(9) for b in range(9)]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "rewards.py").write_text(SOURCE)
    settings = (
        f"task.name={tmp_path}/sums.jsonl",
        f"task.reward={tmp_path}/rewards.py:reward",
        "task.template=plain",
        "task.answer_format=free",
        "training.steps=2",
        "sampling.problems_per_step=4",
        "sampling.group_size=4",
        "sampling.max_new_tokens=24",
    )
    run = Run.create(tmp_path / "run", resolve(override({}, settings)))
    with Verifier(VerifierConfig(deadline_seconds=0.5)) as verifier:
        train(run, base, TransformersSampler(base), verifier)
    return run


def test_each_component_is_logged_by_name_and_kept_with_its_completion(run: Run) -> None:
    for line in run.metrics():
        rows = read_rollouts(run, line["step"])
        parts = [dict(row["components"] or ()) for row in rows]
        for name in ("thought", "right"):
            mean = sum(part.get(name, 0.0) for part in parts) / len(parts)
            assert line[f"reward_{name}_mean"] == pytest.approx(mean)
        assert [row["reward"] for row in rows] == [sum(part.values()) for part in parts]
        assert line["reward_mean"] == pytest.approx(sum(r["reward"] for r in rows) / len(rows))
    table = verirank.read_table(run, "rollouts")
    assert {name for row in table["components"].to_pylist() for name, _ in row or ()} == {
        "thought",
        "right",
    }


def test_a_call_that_hangs_is_a_zero_with_its_reason_and_the_run_goes_on(run: Run) -> None:
    first, second = run.metrics()
    assert (first["verifier_failures"], second["verifier_failures"]) == (1, 0)
    (hung,) = (row for row in read_rollouts(run, 1) if row["reason"] == "deadline")
    assert (hung["reward"], hung["components"]) == (0.0, None)
    shown = command_line.verirank("show", run.folder, "--step", "1", "-n", "99").stdout
    assert "reward 0; advantage" in shown
    assert "; right 0; " in shown
