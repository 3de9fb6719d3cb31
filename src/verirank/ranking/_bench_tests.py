"""The tests of a bench, made once: every pair of arms, and every arm against the base."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.ranking.arms import ArmRuns
from verirank.statistics import (
    EQUALITY_MARGIN,
    UNSEARCHED,
    AllPairs,
    Interval,
    MeanTests,
    Pair,
    Posterior,
    SearchNoise,
    SeedNoise,
    accuracy_intervals,
    collapsed_seeds,
    compare_all_pairs,
    fixed_generator,
    mean_tests,
    noise_of_arms,
    posterior,
)

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class BenchTests:
    """What the arms' scores on a bench say; ranks, claims and advice all read it.

    Attributes:
        labels: the arms in the order of `means` and `changes`.
        means: the interval of each arm's own score.
        changes: the tests of each arm against the base, one family.
        collapsed: by label the seeds that collapsed.
        pairs: the tests of every two arms that have all their runs, one family; None without any.
        search: what the searches of learning rates add to the noise, which all of these hold.
    """

    labels: tuple[str, ...]
    means: tuple[Interval, ...]
    changes: MeanTests
    collapsed: dict[str, tuple[int, ...]]
    pairs: AllPairs | None
    search: SearchNoise = UNSEARCHED

    def search_fraction(self, label: str) -> float | None:
        """Return how much of the variance of an arm's change from the base its search makes up.

        None where the learning rate was set, or one seed tells no variance between runs.
        """
        index = self.labels.index(label)
        if label not in self.search.variance or self.changes.seeds_N[index] < 2:
            return None
        variance = float(self.changes.variance_N[index])
        return min(1.0, self.search.variance[label] / variance) if variance > 0 else 0.0

    def pair(self, a: str, b: str) -> Pair | None:
        """Return the test of arm a less arm b; None where there is none."""
        if self.pairs is None or not {a, b} <= set(self.pairs.arms):
            return None
        return self.pairs.pair(a, b)

    def why_no_pair(self, a: str, b: str) -> str:
        """Return why there is no test of two arms."""
        missing = [one for one in (a, b) if not self.pairs or one not in self.pairs.arms]
        return f"{missing[0]} has runs to come" if missing else "the two share too few seeds"

    @cached_property
    def shared_seeds(self) -> dict[str, int]:
        """By arm that is compared with any other, the least seeds that it shares with another."""
        if self.pairs is None:
            return {}
        rows = zip(self.pairs.arms, self.pairs.shared_seeds().tolist(), strict=True)
        return {arm: least for arm, (least, most) in rows if most}

    @cached_property
    def base_p_holm(self) -> list[float]:
        """Each arm's p-value of no change from the base, corrected over all arms."""
        return self.changes.p_holm_N.tolist()

    @cached_property
    def equal(self) -> NDArray[np.bool_]:
        """Which two arms of `pairs` are equal within the margin, M x M."""
        assert self.pairs is not None
        return self.pairs.equal(EQUALITY_MARGIN)

    @cached_property
    def equal_groups(self) -> list[tuple[str, ...]]:
        """Groups of arms of which every two are equal within the margin, best first."""
        return self.pairs.equal_groups(EQUALITY_MARGIN) if self.pairs else []

    def equals_of(self, label: str) -> tuple[str, ...]:
        """Return the arms that are equal to one within the margin."""
        if self.pairs is None or label not in self.pairs.arms:
            return ()
        row = self.equal[self.pairs.index_of(label)].tolist()
        return tuple(a for a, same in zip(self.pairs.arms, row, strict=True) if same and a != label)

    @cached_property
    def chances(self) -> Posterior | None:
        """The shrunk means and the chances of being best of `pairs`' arms; None without a test.

        Of an arm that was compared with no other they are NaN.
        """
        if self.pairs is None or len(self.pairs.arms) < 2:
            return None
        variance_M = self.pairs.variance_M()
        known_M = np.isfinite(variance_M)
        if not known_M.any() or not (variance_M[known_M] > 0).all():
            return None
        tests = self.pairs.tests
        degrees = float(tests.degrees_N[tests.is_tested_N].mean())
        means_M, variances_M = self.pairs.mean_M[known_M], variance_M[known_M]
        of_known = posterior(means_M, variances_M, EQUALITY_MARGIN, degrees)
        return Posterior(
            **{one.name: _at(known_M, getattr(of_known, one.name)) for one in fields(of_known)}
        )

    def as_json(self) -> dict[str, Any]:
        """Return the margin, the groups of equal arms, and by arm those that equal it."""
        if self.pairs is None:
            return {"margin": EQUALITY_MARGIN, "equal_groups": [], "equal": {}}
        equal = {arm: list(self.equals_of(arm)) for arm in self.pairs.arms}
        groups = [list(group) for group in self.equal_groups]
        return {"margin": EQUALITY_MARGIN, "equal_groups": groups, "equal": equal}


def _at(known_M: NDArray[np.bool_], values: _FloatArray) -> _FloatArray:
    all_M = np.full(len(known_M), np.nan)
    all_M[known_M] = values
    return all_M


def bench_tests(
    arms: Sequence[ArmRuns], bench: str, search: SearchNoise = UNSEARCHED
) -> BenchTests:
    """Test a bench's arms once against each other and once against the base.

    An arm with runs to come is compared with no other. One that collapsed on a seed keeps the noise
    of its own seeds, and lends the others none. What searches of learning rates add to the noise is
    in every test and interval.
    """
    after = [arm.problem_means(bench) for arm in arms]
    before = [arm.problem_means(bench, "before") for arm in arms]
    collapsed = _collapsed(arms, after)
    clean_M = np.array([arm.label not in collapsed for arm in arms])
    changes = [one - base for one, base in zip(after, before, strict=True)]
    return BenchTests(
        labels=tuple(arm.label for arm in arms),
        means=_means(after, _noise(arms, after, clean_M, search)),
        changes=_changes(changes, _noise(arms, changes, clean_M, search)),
        collapsed=collapsed,
        pairs=_pairs([arm for arm in arms if not arm.lost], bench, collapsed, search),
        search=search,
    )


def _pairs(
    arms: list[ArmRuns], bench: str, collapsed: Collection[str], search: SearchNoise
) -> AllPairs | None:
    if not arms:
        return None
    values = {arm.label: arm.problem_means(bench) for arm in arms}
    seeds = {arm.label: arm.seeds for arm in arms}
    return compare_all_pairs(values, fixed_generator(), seeds, collapsed, search)


def _collapsed(
    arms: Sequence[ArmRuns], values: Sequence[_FloatArray]
) -> dict[str, tuple[int, ...]]:
    collapsed = collapsed_seeds([values_SP.mean(axis=1) for values_SP in values])
    return {
        arm.label: tuple(np.array(arm.seeds)[its].tolist())
        for arm, its in zip(arms, collapsed, strict=True)
        if its.any()
    }


def _means(values: Sequence[_FloatArray], noise: dict[int, _Noise]) -> tuple[Interval, ...]:
    by_index = dict[int, Interval]()
    for indices in _as_many_seeds(values):
        values_BSP = np.stack([values[m] for m in indices])
        intervals = accuracy_intervals(values_BSP, _of(noise, indices))
        by_index |= dict(zip(indices, intervals, strict=True))
    return tuple(by_index[index].within(0.0, 1.0) for index in range(len(values)))


def _changes(values: Sequence[_FloatArray], noise: dict[int, _Noise]) -> MeanTests:
    tests = MeanTests.none(len(values))
    for indices in _as_many_seeds(values):
        values_BSP = np.stack([values[m] for m in indices])
        generator = fixed_generator()
        tests.put(np.array(indices), mean_tests(values_BSP, generator, _of(noise, indices)))
    return tests


def _as_many_seeds(values: Sequence[_FloatArray]) -> list[list[int]]:
    """Return the indices of arms that have as many seeds."""
    by_seeds: dict[int, list[int]] = defaultdict(list)
    for index, values_SP in enumerate(values):
        by_seeds[len(values_SP)].append(index)
    return list(by_seeds.values())


_Noise = tuple[float, float, float]
"""Of one arm: the variance of a seed, its degrees of freedom, and the search's in the mean."""


def _noise(
    arms: Sequence[ArmRuns],
    values: Sequence[_FloatArray],
    clean_M: NDArray[np.bool_],
    search: SearchNoise,
) -> dict[int, _Noise]:
    """Return by index the noise of each arm with several seeds, moderated over all."""
    several = [index for index, arm in enumerate(arms) if len(arm.seeds) > 1]
    if not several:
        return {}
    means = [values[m].mean(axis=1) for m in several]
    noise = noise_of_arms(means, [arms[m].seeds for m in several], clean_M[several])
    search_B = search.of([arms[m].label for m in several])
    noise = search.added(noise, search_B, np.array([len(one) for one in means])) or noise
    each = zip(noise.variance_B.tolist(), noise.degrees_B.tolist(), search_B.tolist(), strict=True)
    return dict(zip(several, each, strict=True))


def _of(noise: dict[int, _Noise], indices: list[int]) -> SeedNoise | None:
    """Return the noise of some arms with as many seeds; None for one seed."""
    if indices[0] not in noise:
        return None
    return SeedNoise(*np.array([noise[index] for index in indices]).T)
