"""A run's completions as rows: what was asked, what the model wrote, and what it got for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verirank.config import InputError
from verirank.record import Run, read_parquet

if TYPE_CHECKING:
    from verirank.tasks import Problem, Task

Completion = dict[str, Any]


def rollouts(run: Run, step: int) -> list[Completion]:
    """Return a training step's completions, a row each, with gold and the advantage of each.

    Raises:
        InputError: the run has no such step on disk.
    """
    every = all_rollouts(run)
    places = [place for place, row in enumerate(every) if row["step"] == step]
    if not places:
        steps = sorted({row["step"] for row in every})
        known = f"steps {steps[0]} to {steps[-1]}" if steps else "no steps"
        raise InputError(f"{run.folder} has no completions of step {step}; it has {known}")
    rows = every[places[0] : places[-1] + 1]
    if "advantage" not in rows[0]:
        _complete_rollouts(run, rows, places[0])
    return rows


def rollout_steps(run: Run) -> list[int]:
    """Return the training steps whose completions are on disk, by their files' names alone."""
    spans = [file.stem.split("-")[1:] for file in _rollout_files(run)]
    return [step for first, last in spans for step in range(int(first), int(last) + 1)]


def bench_completions(run: Run, bench: str) -> list[Completion]:
    """Return a bench's samples, before and after training, a row each, with gold.

    Raises:
        InputError: the run was not evaluated on the bench.
    """
    if bench not in run.benches:
        known = ", ".join(run.benches) or "none"
        raise InputError(f"{run.folder} has no samples of bench {bench!r}; it has {known}")
    rows = read_parquet(run.bench_file(bench)).to_pylist()
    if any(row.get("gold") is None for row in rows):
        _complete_samples(run, bench, rows)
    return [row | {"reward": float(bool(row["correct"]))} for row in rows]


def all_rollouts(run: Run) -> list[Completion]:
    """Return the completions of all training steps as they lie on disk."""
    return [row for file in _rollout_files(run) for row in read_parquet(file).to_pylist()]


def _rollout_files(run: Run) -> list[Path]:
    return sorted((run.folder / "rollouts").glob("steps-*.parquet"))


def _complete_rollouts(run: Run, rows: list[Completion], first: int) -> None:
    """Add what runs of an earlier version did not record, as their task and algorithm say.

    Args:
        run: whose completions these are.
        rows: of one step; group lies after group, and a problem may be drawn twice.
        first: the number of rows before them; groups lie in the order of the training stream.
    """
    size = run.config.sampling.group_size
    for start in range(0, len(rows), size):
        group = rows[start : start + size]
        for row, advantage in zip(group, _advantages(run, group), strict=True):
            row["advantage"] = advantage
        _add_questions(group, [_task(run).training_problem(run.seed, (first + start) // size)])


def _complete_samples(run: Run, bench: str, rows: list[Completion]) -> None:
    """Add the questions and gold of samples that were taken by an earlier version."""
    try:
        problems = _task(run).bench(bench, len({row["problem"] for row in rows}))
    except InputError:
        # Without the task's data, the completions can still be read.
        return
    _add_questions(rows, problems)


def _add_questions(rows: Sequence[Completion], problems: Sequence[Problem]) -> None:
    known = {problem.id: problem for problem in problems}
    for row in rows:
        if problem := known.get(row["problem"]):
            row |= {"prompt": problem.prompt, "gold": problem.answer}


def _task(run: Run) -> Task:
    from verirank.tasks import load_task

    return load_task(run.config.task)


def _advantages(run: Run, group: Sequence[Completion]) -> list[float]:
    """Return what the run's algorithm gave each completion of a group."""
    import torch

    from verirank.config import load_plugin

    config = run.config
    algorithm = load_plugin("algorithm", config.algorithm.name)(config.algorithm)
    rewards_PG = torch.tensor([[row["reward"] for row in group]])
    lengths_PG = torch.tensor([[row["length"] for row in group]])
    limit = config.sampling.max_new_tokens or _task(run).max_new_tokens
    return algorithm.advantages(algorithm.shape_rewards(rewards_PG, lengths_PG, limit))[0].tolist()
