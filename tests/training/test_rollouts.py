"""What a run keeps of the completions that it trained on."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from verirank.config import override, resolve
from verirank.models import BaseModel
from verirank.record import Run
from verirank.sampling import TransformersSampler
from verirank.tasks import load_task
from verirank.training import train
from verirank.verifier import Verifier


def test_a_rollout_tells_its_question_gold_and_advantage(
    tmp_path: Path, base: BaseModel, verifier: Verifier
) -> None:
    settings = ("training.steps=1", "sampling.problems_per_step=4", "sampling.group_size=4")
    config = resolve(override({}, settings))
    run = Run.create(tmp_path / "run", config)
    train(run, base, TransformersSampler(base), verifier)
    (file,) = (run.folder / "rollouts").iterdir()
    rows = pq.read_table(file).to_pylist()
    task = load_task(config.task)
    for place in range(4):
        problem, group = task.training_problem(0, place), rows[4 * place : 4 * place + 4]
        assert {(r["problem"], r["prompt"], r["gold"]) for r in group} == {
            (problem.id, problem.prompt, problem.answer)
        }
        mean = sum(row["reward"] for row in group) / 4
        assert sum(row["advantage"] for row in group) == pytest.approx(0, abs=1e-5)
        assert all((row["advantage"] > 0) == (row["reward"] > mean) for row in group)
