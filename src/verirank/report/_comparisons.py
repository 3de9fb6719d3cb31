"""Every method against LoRA and against full fine-tuning, and what the study could have seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from verirank.report._arms import Arm
from verirank.report._pairing import Pairing
from verirank.report.leaderboard import Leaderboard
from verirank.statistics import bootstrap_means, detectable_differences, holm

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

    A reference is the arm that bears the method's plain name; without it there is none. The two
    references are compared once.
    """
    return [found for bench in board.benches for found in _on(board, bench)]


def _on(board: Leaderboard, bench: str) -> list[Comparison]:
    pairing = Pairing([arm for arm in board.arms if arm.entered(bench)], bench)
    groups = list(_groups(pairing))
    tests = sum(len(group.arms) for group in groups)
    found = [one for group in groups for one in _compare(group, pairing, tests)]
    adjusted = holm([one.p for one in found]).tolist() if found else []
    return [replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True)]


@dataclass(frozen=True, slots=True)
class _Group:
    """Arms that share the same seeds with a reference."""

    reference: Arm
    seeds: tuple[int, ...]
    arms: list[Arm]


def _groups(pairing: Pairing) -> Iterator[_Group]:
    by_label = {arm.label: arm for arm in pairing.arms}
    references = [by_label[label] for label in _REFERENCES if label in by_label]
    for place, reference in enumerate(references):
        done = {one.label for one in references[: place + 1]}
        by_seeds: dict[tuple[int, ...], list[Arm]] = defaultdict(list)
        for arm in pairing.arms:
            if arm.label in done or not (seeds := pairing.shared(arm, reference)):
                continue
            by_seeds[seeds].append(arm)
        yield from (_Group(reference, seeds, arms) for seeds, arms in by_seeds.items())


def _compare(group: _Group, pairing: Pairing, tests: int) -> Iterator[Comparison]:
    """Yield the differences of a group to its reference, all on the same resamples."""
    values_BSP = np.stack([arm.shares(pairing.bench, seeds=group.seeds) for arm in group.arms])
    values_BSP -= group.reference.shares(pairing.bench, seeds=group.seeds)
    noise = pairing.noise([(arm, group.reference) for arm in group.arms], group.seeds)
    intervals = bootstrap_means(values_BSP, np.random.default_rng(_SEED), noise)
    smallest: list[float | None] = [None] * len(group.arms)
    if len(pairing.arms) <= _MOST_DETECTABLE:
        smallest = detectable_differences(values_BSP, noise, tests).clip(max=1.0).tolist()
    for arm, interval, detectable in zip(group.arms, intervals, smallest, strict=True):
        bounded = interval.within(-1.0, 1.0)
        yield Comparison(
            label=arm.label,
            reference=group.reference.label,
            bench=pairing.bench,
            seeds=len(group.seeds),
            difference=bounded.mean,
            low=bounded.low,
            high=bounded.high,
            p=bounded.p,
            p_holm=bounded.p,
            detectable=detectable,
        )
