"""What a run keeps of the completions that it trained on."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from verirank.config import override, resolve
from verirank.models import BaseModel
from verirank.record import Run, read_rollouts, rewind, rollout_files, rollout_steps, write_rollouts
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
    (file,) = (run.folder / "rollouts").glob("*.parquet")
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


def test_rollouts_are_on_disk_after_every_step_and_joined_at_a_checkpoint(
    tmp_path: Path, base: BaseModel, verifier: Verifier
) -> None:
    settings = ("training.steps=5", "sampling.problems_per_step=2", "checkpoint.every=3")
    run = Run.create(tmp_path / "run", resolve(override({}, settings)))
    seen: list[list[int]] = []
    train(
        run,
        base,
        TransformersSampler(base),
        verifier,
        lambda step: seen.append(rollout_steps(run)),
    )
    assert seen == [list(range(1, n + 1)) for n in range(1, 6)]
    names = [file.name for file in rollout_files(run)]
    assert names == ["steps-000001-000003.parquet", "steps-000004-000005.parquet"]
    assert [row["step"] for row in read_rollouts(run, 4)] == [4] * 16
    # A process that was killed while it joined files leaves a step in both.
    write_rollouts(run, 5, read_rollouts(run, 5))
    assert rollout_steps(run) == [1, 2, 3, 4, 5]
    rewind(run, 3)
    assert [file.name for file in rollout_files(run)] == names[:1]


def test_checkpoints_come_by_time_as_well(
    tmp_path: Path, base: BaseModel, verifier: Verifier
) -> None:
    settings = ("training.steps=3", "sampling.problems_per_step=2", "checkpoint.keep=9")
    often = (*settings, "checkpoint.every_minutes=1e-9")
    for name, wanted, found in (("seldom", settings, [3]), ("often", often, [1, 2, 3])):
        run = Run.create(tmp_path / name, resolve(override({}, wanted)))
        train(run, base, TransformersSampler(base), verifier)
        numbers = [int(path.name.removeprefix("step-")) for path in run.checkpoints()]
        assert numbers == found
