"""Beside Avg@k: Pass@k with its interval, maj@k, benches without overlap, and aggregates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking._row import Row
from verirank.ranking.arms import AVERAGE, ArmRuns
from verirank.statistics import (
    FEWEST_SEEDS,
    Estimate,
    Interval,
    bootstrap_mean,
    by_groups,
    fixed_generator,
    macro_accuracies,
    probability_of_improvement,
)

MOST = 40
"""Arms that are aggregated, from the top of the board."""


@dataclass(frozen=True, slots=True)
class BenchScores:
    """An arm's scores on a bench beside Avg@k, fractions of 1, means over the seeds.

    `pass_low` and `pass_high` bound the 95 % interval of Pass@k, as `bootstrap_mean` gives it.
    Numbers that runs recorded themselves, without their interval: `maj_at_k`, and all of a bench
    without the problems that stand in the training set too. None where a run recorded none.
    """

    label: str
    bench: str
    n: int
    avg_at_k: float
    pass_at_k: float
    pass_low: float | None
    pass_high: float | None
    maj_at_k: float | None


@dataclass(frozen=True, slots=True)
class AcrossBenches:
    """How often a seed of an arm beats one of LoRA on a bench (Agarwal et al.), fractions of 1.

    `better` is None without LoRA, for LoRA itself, and where either has fewer than three seeds.
    Bounds are None where the seeds support no interval.
    """

    label: str
    benches: int
    better: float | None
    better_low: float | None
    better_high: float | None


def bench_scores(board: Leaderboard) -> list[BenchScores]:
    """Return the best arms' scores on every bench, those without overlap after each."""
    arms = {arm.label: arm for arm in board.arms}
    return [
        scores
        for bench in board.benches
        for row in board.of_bench(bench)[:MOST]
        for scores in _on_bench(arms[row.label], row)
    ]


def _on_bench(arm: ArmRuns, row: Row) -> Iterator[BenchScores]:
    passed = _passed(arm, row.bench)
    benches = arm.averaged if row.bench == AVERAGE else (row.bench,)
    votes = [_recorded(arm, bench, "maj_at_k") for bench in benches]
    known = [vote for vote in votes if vote is not None]
    yield BenchScores(
        label=row.label,
        bench=row.bench,
        n=row.n,
        avg_at_k=row.avg_at_k,
        pass_at_k=row.pass_at_k,
        pass_low=passed.low,
        pass_high=passed.high,
        maj_at_k=fmean(known) if len(known) == len(votes) else None,
    )
    clean = [scores.get(row.bench, {}).get("without_overlap") for scores in arm.evaluations]
    if all(clean):
        yield BenchScores(
            label=row.label,
            bench=f"{row.bench} without overlap",
            n=clean[0]["n"],
            avg_at_k=fmean(one["avg_at_k"] for one in clean),
            pass_at_k=fmean(one["pass_at_k"] for one in clean),
            pass_low=None,
            pass_high=None,
            maj_at_k=fmean(one["maj_at_k"] for one in clean),
        )


def _passed(arm: ArmRuns, bench: str) -> Interval:
    benches = arm.averaged if bench == AVERAGE else (bench,)
    solved = [
        by_groups(np.asarray(arm.scores(one).any(axis=2), np.float64), arm.groups(one))
        for one in benches
    ]
    values_SP = macro_accuracies(solved) if bench == AVERAGE else solved[0]
    return bootstrap_mean(values_SP, fixed_generator()).within(0.0, 1.0)


def _recorded(arm: ArmRuns, bench: str, name: str) -> float | None:
    values = [scores.get(bench, {}).get(name) for scores in arm.evaluations]
    return None if None in values else fmean(values)


def across_benches(board: Leaderboard) -> list[AcrossBenches]:
    """Return the aggregates of the best arms, in the order of the board."""
    arms = {arm.label: arm for arm in board.arms}
    benches = board.averaged or board.benches[:1]
    lora = arms.get("lora")
    return [_across(arms[row.label], lora, benches) for row in board.main[:MOST]]


def _across(arm: ArmRuns, lora: ArmRuns | None, benches: tuple[str, ...]) -> AcrossBenches:
    scores_ST = _means(arm, benches)
    better: Estimate | None = None
    if lora is not None and arm is not lora and all(map(lora.has_bench, benches)):
        of_lora_ST = _means(lora, benches)
        if min(len(scores_ST), len(of_lora_ST)) >= FEWEST_SEEDS:
            better = probability_of_improvement(scores_ST, of_lora_ST)
    return AcrossBenches(
        label=arm.label,
        benches=len(benches),
        better=better.value if better else None,
        better_low=better.low if better else None,
        better_high=better.high if better else None,
    )


def _means(arm: ArmRuns, benches: tuple[str, ...]) -> np.ndarray:
    return np.stack([arm.problem_means(bench).mean(axis=1) for bench in benches], axis=1)
