"""Chooses the completions worth reading: notable problems of a bench, and groups of training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from verirank.record._completion_statistics import solve_rates
from verirank.record._completions import Completion, read_rollouts, rollout_steps
from verirank.record._run import Run


@dataclass(frozen=True, slots=True)
class BenchExample:
    """A notable problem of a bench, with its solve rates and a sample from each stage.

    `reason` says why it was chosen. `samples` holds at most one from before training and one from
    after, and prefers samples that show the direction in which the solve rate changed.
    """

    reason: str
    before: float
    after: float
    samples: tuple[Completion, ...]


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A group of a training step: how many were rewarded, and its best and worst advantage."""

    step: int
    rewarded: int
    size: int
    samples: tuple[Completion, ...]


def bench_examples(before: list[Completion], after: list[Completion]) -> Iterator[BenchExample]:
    """Yield the problems with the most and least gain, the lowest and highest rate, one truncated.

    Each problem is yielded once, for the first of these reasons.
    """
    was = {rate.problem: rate.mean for rate in solve_rates(before)}
    now = {rate.problem: rate.mean for rate in solve_rates(after)}
    order = list(now)
    gained = sorted(now, key=lambda problem: (was.get(problem, 0.0) - now[problem], problem))
    truncated = [row["problem"] for row in after if row["truncated"]]
    reasons: dict[str, str] = {}
    for problem, reason in (
        (gained[0], "gained most"),
        (gained[-1], "gained least"),
        (order[0], "worst after training"),
        (order[-1], "best after training"),
        *[(problem, "cut off") for problem in truncated[:1]],
    ):
        reasons.setdefault(problem, reason)
    for problem, reason in reasons.items():
        rates = was.get(problem, 0.0), now[problem]
        stages = ((before, rates[1] < rates[0]), (after, True))
        samples = [_sample(rows, problem, correct) for rows, correct in stages]
        yield BenchExample(reason, *rates, tuple(sample for sample in samples if sample))


def _sample(rows: list[Completion], problem: str, correct: bool) -> Completion | None:
    """Return a problem's first sample with this correctness, or else its first, or None."""
    samples = [row for row in rows if row["problem"] == problem]
    return next(
        (row for row in samples if bool(row["reward"]) == correct), next(iter(samples), None)
    )


def training_examples(run: Run) -> Iterator[TrainingExample]:
    """Yield a group of the first training step on disk and one of the last."""
    steps = rollout_steps(run)
    for step in dict.fromkeys(steps[:1] + steps[-1:]):
        group = _mixed_group(read_rollouts(run, step), run.settings["sampling"]["group_size"])
        best = max(group, key=lambda row: row["advantage"])
        worst = min(group, key=lambda row: row["advantage"])
        rewarded = sum(row["reward"] > 0 for row in group)
        samples = (best,) if best is worst else (best, worst)
        yield TrainingExample(step, rewarded, len(group), samples)


def _mixed_group(rows: list[Completion], size: int) -> list[Completion]:
    """Return the first group whose rewards differ, or else the first group."""
    groups = [rows[start : start + size] for start in range(0, len(rows), size)]
    mixed = (group for group in groups if len({row["reward"] for row in group}) > 1)
    return next(mixed, groups[0])
