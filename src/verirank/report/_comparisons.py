"""Every method against LoRA and against full fine-tuning, and what the study could have seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verirank.report._arms import Arm
from verirank.report.leaderboard import Leaderboard
from verirank.statistics import as_shares, bootstrap_means, holm, resolutions

_SEED = 0
_REFERENCES = ("lora", "full")
_MOST_DETECTABLE = 100
"""Arms up to which the smallest difference that could have been seen is worked out."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm's Avg@k less a reference's on the same problems and seeds, in shares of 1.

    `p_holm` is corrected over all of a bench's differences. `detectable` is the smallest true
    difference that the study finds four times in five at the hardest step of that correction; None
    for very many arms. With one seed all of it is about these runs, not about the methods.
    """

    label: str
    reference: str
    bench: str
    seeds: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    detectable: float | None

    @property
    def resolved(self) -> bool:
        """Whether the two are told apart at 5 %."""
        return self.p_holm <= 0.05


def comparisons(board: Leaderboard) -> list[Comparison]:
    """Return the differences of all arms to LoRA and to full fine-tuning, on every bench.

    A reference is the arm that bears the method's plain name; without it there is none.
    """
    return [found for bench in board.benches for found in _on(board, bench)]


def _on(board: Leaderboard, bench: str) -> list[Comparison]:
    arms = [arm for arm in board.arms if arm.entered(bench)]
    references = [arm for arm in arms if arm.label in _REFERENCES]
    found = [one for reference in references for one in _from(reference, arms, bench)]
    adjusted = holm([one.p for one in found]).tolist() if found else []
    few = len(arms) <= _MOST_DETECTABLE
    return [
        replace(
            one, p_holm=p, detectable=_detectable(one, arms, bench, len(found)) if few else None
        )
        for one, p in zip(found, adjusted, strict=True)
    ]


def _from(reference: Arm, arms: Sequence[Arm], bench: str) -> Iterator[Comparison]:
    """Yield the differences to a reference; arms that share as many seeds with it go together."""
    by_seeds: dict[tuple[int, ...], list[Arm]] = defaultdict(list)
    for arm in arms:
        if arm is not reference and (seeds := _shared(arm, reference)):
            by_seeds[seeds].append(arm)
    for seeds, group in by_seeds.items():
        its_SP = as_shares(reference.scores(bench, seeds=seeds))
        values_BSP = np.stack([as_shares(a.scores(bench, seeds=seeds)) - its_SP for a in group])
        intervals = bootstrap_means(values_BSP, np.random.default_rng(_SEED))
        for arm, interval in zip(group, intervals, strict=True):
            bounded = interval.within(-1.0, 1.0)
            yield Comparison(
                label=arm.label,
                reference=reference.label,
                bench=bench,
                seeds=len(seeds),
                difference=bounded.mean,
                low=bounded.low,
                high=bounded.high,
                p=bounded.p,
                p_holm=bounded.p,
                detectable=None,
            )


def _detectable(one: Comparison, arms: Sequence[Arm], bench: str, tests: int) -> float:
    arm, reference = (next(a for a in arms if a.label == n) for n in (one.label, one.reference))
    seeds = _shared(arm, reference)
    pair = {"a": arm.scores(bench, seeds=seeds), "b": reference.scores(bench, seeds=seeds)}
    (found,) = resolutions(pair, comparisons=tests)
    return min(1.0, found.detectable)


def _shared(arm: Arm, reference: Arm) -> tuple[int, ...]:
    return tuple(sorted({run.seed for run in arm.runs} & {run.seed for run in reference.runs}))
