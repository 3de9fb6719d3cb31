"""Each method minus a reference, problem by problem, with the band that two equal methods show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.ranking._bench_tests import BenchTests
from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.arms import ArmRuns
from verirank.statistics import fixed_generator

REFERENCES = ("lora", "full")
"""Methods that every other method is compared with."""
MOST = 26
"""Arms that are compared, from the top of the board."""
_SHUFFLES = 400
_BAND = (0.025, 0.975)
_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """An arm less its reference on a bench's P problems, in fractions of 1, the largest loss first.

    `low_P` and `high_P` bound the middle 95 % of the n-th smallest difference when the samples of
    both are dealt out anew between them, a problem at a time: what two equal methods would show by
    sampling alone. `mean`, `low` and `high` are of the mean difference, as the ranking tests it.
    """

    label: str
    reference: str
    bench: str
    problems: tuple[str, ...]
    difference_P: _FloatArray
    low_P: _FloatArray
    high_P: _FloatArray
    mean: float
    low: float
    high: float

    @property
    def better(self) -> int:
        """The number of problems that the arm solves more often."""
        return int((self.difference_P > 0).sum())

    @property
    def worse(self) -> int:
        """The number of problems that it solves less often."""
        return int((self.difference_P < 0).sum())

    @property
    def outside(self) -> int:
        """The number of sorted differences that lie outside the band."""
        out_P = (self.difference_P < self.low_P) | (self.difference_P > self.high_P)
        return int(out_P.sum())


def differences(board: Leaderboard, reference: str) -> list[Difference]:
    """Return the arms at the top of the first bench less a reference method, best first.

    Of several arms of that method the one that bears its plain name is the reference, or else the
    best. An arm that shares no seed with it is left out; where there is none there is nothing.
    """
    bench = board.sampled[0]
    rows = board.of_bench(bench)
    arms = {arm.label: arm for arm in board.arms if bench in arm.samples}
    labels = [row.label for row in rows if row.method == reference]
    if not labels:
        return []
    against = reference if reference in labels else labels[0]
    others = [row.label for row in rows if row.label != against][:MOST]
    tests = board.tests[bench]
    pairs = (_difference(arms[label], arms[against], tests, bench) for label in others)
    return [pair for pair in pairs if pair is not None]


def difference_rows(pairs: list[Difference]) -> list[dict[str, Any]]:
    """Return a row a problem, differences in points."""
    return [row for difference in pairs for row in _rows(difference)]


def summary_rows(pairs: list[Difference]) -> list[dict[str, Any]]:
    """Return a row a method: its mean difference in fractions of 1, and how problems fell out."""
    return [
        {
            "method": d.label,
            "reference": d.reference,
            "mean": d.mean,
            "low": d.low,
            "high": d.high,
            "problems": len(d.problems),
            "better": d.better,
            "worse": d.worse,
            "outside": d.outside,
        }
        for d in pairs
    ]


def _rows(difference: Difference) -> Iterator[dict[str, Any]]:
    columns = (difference.difference_P, difference.low_P, difference.high_P)
    for position, (problem, *values) in enumerate(
        zip(difference.problems, *(c.tolist() for c in columns), strict=True), 1
    ):
        value, low, high = (round(100 * number, 4) for number in values)
        yield {
            "method": difference.label,
            "reference": difference.reference,
            "position": position,
            "problem": problem,
            "difference": value,
            "low": low,
            "high": high,
        }


def _difference(
    arm: ArmRuns, reference: ArmRuns, tests: BenchTests, bench: str
) -> Difference | None:
    whole = tests.pair(arm.label, reference.label)
    if whole is None:
        return None
    seeds = set(arm.seeds) & set(reference.seeds)
    a_SPK, b_SPK = (one.scores(bench, seeds=seeds) for one in (arm, reference))
    difference_P = a_SPK.mean(axis=(0, 2)) - b_SPK.mean(axis=(0, 2))
    order_P = np.argsort(difference_P, kind="stable")
    low_P, high_P = _band(a_SPK, b_SPK)
    problems = arm.samples[bench][0].problems
    return Difference(
        label=arm.label,
        reference=reference.label,
        bench=bench,
        problems=tuple(problems[index] for index in order_P),
        difference_P=difference_P[order_P],
        low_P=low_P,
        high_P=high_P,
        mean=whole.difference,
        low=whole.low,
        high=whole.high,
    )


def _band(a_SPK: NDArray[np.bool_], b_SPK: NDArray[np.bool_]) -> tuple[_FloatArray, _FloatArray]:
    """Return the band of sorted differences when a problem's samples belong to either method.

    A problem's right samples fall to the two as a hypergeometric draw.
    """
    right_P = a_SPK.sum(axis=(0, 2)) + b_SPK.sum(axis=(0, 2))
    a, b = (one.shape[0] * one.shape[2] for one in (a_SPK, b_SPK))
    size = (_SHUFFLES, len(right_P))
    dealt_BP = fixed_generator().hypergeometric(right_P, a + b - right_P, a, size)
    sorted_BP = np.sort(dealt_BP / a - (right_P - dealt_BP) / b, axis=1)
    low_P, high_P = np.quantile(sorted_BP, _BAND, axis=0)
    return low_P, high_P
