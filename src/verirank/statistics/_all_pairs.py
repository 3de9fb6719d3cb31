"""Every two arms of a study, tested once: ranks, ties, equality and claims all read these tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verirank.statistics._mean_tests import MeanTests
from verirank.statistics._noise import ALPHA
from verirank.statistics._pairs import contrasts, resampled_quantiles
from verirank.statistics._scores import FloatArray, as_finite
from verirank.statistics._search_noise import UNSEARCHED, SearchNoise
from verirank.statistics._seed_noise import SeedNoise, noise_of_differences
from verirank.statistics._standing import (
    comparable_means,
    own_variances,
    reordered,
    standing_order,
    without_contradictions,
)

_IndexArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pair:
    """One arm's mean less another's on the seeds and problems that both have, in fractions of 1.

    `p_holm` is corrected over all pairs. `resolved` is 1 or -1 where the difference is significant,
    else 0.
    """

    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    seeds: int
    resolved: int


@dataclass(frozen=True)
class AllPairs:
    """The tests of all pairs of M arms, by their means, but none before one that is better.

    Attributes:
        arms: the arms' names.
        mean_M: of each, a fraction of 1, made comparable by the differences on shared seeds; where
            all have the same seeds, the mean over these.
        tests: of every pair in the order of `np.triu_indices(M, k=1)`, the better arm less the
            other.
    """

    arms: tuple[str, ...]
    mean_M: FloatArray
    tests: MeanTests

    def pair(self, a: str, b: str) -> Pair | None:
        """Return the test of a less b; None where they share no seed, or are the same.

        Raises:
            ValueError: one is not among the arms.
        """
        index = self._pair_index(a, b)
        if index is None or not self.tests.seeds_N[index]:
            return None
        sign = 1 if self.index_of(a) < self.index_of(b) else -1
        low, high = float(self.tests.low_N[index]), float(self.tests.high_N[index])
        difference = sign * float(self.tests.mean_N[index])
        p_holm = float(self._p_holm_N[index])
        return Pair(
            difference=difference,
            low=low if sign > 0 else -high,
            high=high if sign > 0 else -low,
            p=float(self.tests.p_N[index]),
            p_holm=p_holm,
            seeds=int(self.tests.seeds_N[index]),
            resolved=int(np.sign(difference)) if p_holm <= ALPHA else 0,
        )

    def detectable(self, a: str, b: str, seeds: int | None = None) -> float:
        """Return the difference of a and b that is found with 80 % power at Holm's hardest step.

        Args:
            a: an arm.
            b: another that shares a seed with it.
            seeds: of a design like this one; None for this one.

        Raises:
            ValueError: the two share no seed, or are the same, or one is not among the arms.
        """
        index = self._pair_index(a, b)
        if index is None or not self.tests.seeds_N[index]:
            raise ValueError(f"{a} and {b} share no seed")
        return self.tests.detectable(index, seeds)

    def ranks(self) -> dict[str, tuple[int, int]]:
        """Return each arm's best and worst rank.

        The best is 1 + the number of significantly better arms, the worst M - the number of
        significantly worse ones (Mogstad, Romano, Shaikh and Wilhelm, Review of Economic Studies
        91, 2024, eq. 3). A rank is never better than that of an arm that stands before it. Tests
        that contradict each other, as those on different seeds may (a better than b, b than c, c
        than a), count for none.
        """
        better_MM = without_contradictions(self._better_MM)
        best_M = 1 + np.maximum.accumulate(better_MM.sum(axis=0))
        worst_M = len(self.arms) - better_MM.sum(axis=1)
        worst_M = np.minimum.accumulate(worst_M[::-1])[::-1]
        rows = zip(self.arms, best_M.tolist(), np.maximum(best_M, worst_M).tolist(), strict=True)
        return {arm: (best, worst) for arm, best, worst in rows}

    def shared_seeds(self) -> NDArray[np.intp]:
        """Return how many seeds each arm was compared on with another: least and most, M x 2."""
        arms = len(self.arms)
        seeds_MM = np.zeros((arms, arms), dtype=np.intp)
        seeds_MM[np.triu_indices(arms, k=1)] = self.tests.seeds_N
        seeds_MM += seeds_MM.T
        most_M = seeds_MM.max(axis=1)
        np.fill_diagonal(seeds_MM, seeds_MM.max())
        return np.stack([seeds_MM.min(axis=1), most_M], axis=1)

    def index_of(self, arm: str) -> int:
        """Return an arm's index in `arms`.

        Raises:
            ValueError: it is not among them.
        """
        if arm not in self._indices:
            raise ValueError(f"no method {arm!r} was compared, only {', '.join(self.arms)}")
        return self._indices[arm]

    def is_better(self, a: str, b: str) -> bool:
        """Return whether arm a is significantly better than b.

        Raises:
            ValueError: one is not among the arms.
        """
        return bool(self._better_MM[self.index_of(a), self.index_of(b)])

    def equal(self, margin: float) -> NDArray[np.bool_]:
        """Return which two arms surely differ by less than a margin, M x M, at 5 % over all pairs.

        Args:
            margin: a fraction of 1.

        Raises:
            ValueError: the margin is not positive.
        """
        equal_MM = np.eye(len(self.arms), dtype=np.bool_)
        equal_MM[np.triu_indices(len(self.arms), k=1)] = self.tests.equal_N(margin)
        return equal_MM | equal_MM.T

    def equal_groups(self, margin: float) -> list[tuple[str, ...]]:
        """Return groups of arms of which every two are equal within a margin, best first.

        Each group begins with the best arm that is in none yet and takes all that are equal to
        every arm in it; arms that are equal to none are left out.
        """
        equal_MM, free, groups = self.equal(margin), list(range(len(self.arms))), list[list[int]]()
        while free:
            group = [free[0]]
            for m in free[1:]:
                if equal_MM[m, group].all():
                    group.append(m)
            free = [m for m in free if m not in group]
            groups.append(group)
        return [tuple(self.arms[m] for m in group) for group in groups if len(group) > 1]

    def beyond(self, a: str, b: str, margin: float) -> bool:
        """Return whether two arms surely differ by more than a margin, at 5 % over all pairs."""
        index = self._pair_index(a, b)
        return index is not None and bool(self.tests.beyond_N(margin)[index])

    def variance_M(self) -> FloatArray:
        """Return each arm's own part in the variances of its differences, by least squares.

        What moves all arms alike, as a hard problem does, is no part of it. NaN of an arm that was
        compared with no other.
        """
        return own_variances(self.tests, len(self.arms))

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {arm: index for index, arm in enumerate(self.arms)}

    def _pair_index(self, a: str, b: str) -> int | None:
        first, second = sorted((self.index_of(a), self.index_of(b)))
        if first == second:
            return None
        return first * (2 * len(self.arms) - first - 1) // 2 + second - first - 1

    @cached_property
    def _p_holm_N(self) -> FloatArray:
        return self.tests.p_holm_N

    @cached_property
    def _better_MM(self) -> NDArray[np.bool_]:
        """Whether the row's arm is significantly better."""
        first, second = np.triu_indices(len(self.arms), k=1)
        sign_N = np.where(self._p_holm_N <= ALPHA, np.sign(self.tests.mean_N), 0)
        better_MM = np.zeros((len(self.arms),) * 2, dtype=np.bool_)
        better_MM[first, second], better_MM[second, first] = sign_N > 0, sign_N < 0
        return better_MM

    def in_order(self) -> AllPairs:
        """Return the same tests with the arms in order."""
        order = standing_order(without_contradictions(self._better_MM), self.mean_M)
        if order == sorted(order):
            return self
        arms = tuple(self.arms[m] for m in order)
        return AllPairs(arms, self.mean_M[order], reordered(self.tests, order))


def compare_all_pairs(
    values: Mapping[str, ArrayLike],
    generator: np.random.Generator,
    seeds: Mapping[str, Sequence[int]] | None = None,
    collapsed: Collection[str] = (),
    search: SearchNoise = UNSEARCHED,
) -> AllPairs:
    """Test every two arms for a difference, on the seeds and problems that the two share.

    Differences are paired over seeds and problems, intervals are `bootstrap_means`', and the noise
    of seeds is that of `noise_of_differences` over all arms that have the pair's seeds. Where some
    pair shares two seeds or more, one that shares a single seed is not tested: it would be about
    two runs. With a single problem nothing is tested.

    Args:
        values: by arm a value a seed and problem, S x P, fractions of 1, or `macro_accuracies`.
        generator: the source of the resamples.
        seeds: by arm the seed of each row; None where all arms have the same seeds.
        collapsed: arms whose noise is their own (`collapsed_seeds`).
        search: what the searches of learning rates add to the noise.

    Raises:
        ValueError: there is no arm, an array is not S x P, a value is not finite, problems differ,
            or the seed of a row is missing or double.
    """
    arrays = {arm: as_finite(one, ndim=2) for arm, one in values.items()}
    if len({one.shape[1] for one in arrays.values()}) != 1:
        raise ValueError("a ranking needs the same problems for every method, and a method")
    if seeds is None and len({len(one) for one in arrays.values()}) != 1:
        raise ValueError("a ranking needs the same seeds for every method, or the seed of each row")
    if missing := [arm for arm in arrays if seeds is not None and arm not in seeds]:
        raise ValueError(f"needs the seeds of every method, also of {', '.join(missing)}")
    rows = {
        arm: {seed: row for row, seed in enumerate(seeds[arm] if seeds else range(len(one)))}
        for arm, one in arrays.items()
    }
    if any(len(rows[arm]) != len(one) for arm, one in arrays.items()):
        raise ValueError("needs the seed of every row, each once")
    order = sorted(arrays, key=lambda arm: -arrays[arm].mean())
    groups = _by_shared_seeds([frozenset(rows[arm]) for arm in order])
    problems = arrays[order[0]].shape[1]
    most = max((len(shared) for shared, _ in groups), default=0)
    tests = MeanTests.none(len(order) * (len(order) - 1) // 2)
    for shared, pairs_N in groups:
        if problems > 1 and (len(shared) > 1 or most == len(shared) == 1):
            having = [m for m, arm in enumerate(order) if shared <= rows[arm].keys()]
            inner = np.full(len(order), -1)
            inner[having] = range(len(having))
            values_MSP = np.stack([_rows(arrays[order[m]], rows[order[m]], shared) for m in having])
            clean_M = np.array([order[m] not in collapsed for m in having])
            first, second = (inner[index[pairs_N]] for index in np.triu_indices(len(order), k=1))
            search_M = search.of([order[m] for m in having])
            noise = noise_of_differences(values_MSP.mean(axis=2), first, second, clean_M)
            noise = search.added(noise, search_M[first] + search_M[second], len(shared))
            tests.put(pairs_N, _tested(values_MSP, first, second, generator, noise))
    own_M = np.array([arrays[arm].mean() for arm in order])
    return AllPairs(tuple(order), comparable_means(own_M, tests), tests).in_order()


def _rows(values_SP: FloatArray, rows: Mapping[int, int], seeds: Collection[int]) -> FloatArray:
    return values_SP[[rows[seed] for seed in sorted(seeds)]]


def _by_shared_seeds(seeds_M: list[frozenset[int]]) -> list[tuple[frozenset[int], _IndexArray]]:
    """Return the pairs of arms by the seeds that they share, as indices of `np.triu_indices`."""
    kinds = list(dict.fromkeys(seeds_M))
    kind_M = np.array([kinds.index(one) for one in seeds_M])
    first, second = np.triu_indices(len(seeds_M), k=1)
    pairs_of: dict[frozenset[int], list[_IndexArray]] = {}
    for a, its in enumerate(kinds):
        for b, other in enumerate(kinds):
            pairs_N = np.flatnonzero((kind_M[first] == a) & (kind_M[second] == b))
            if len(pairs_N) and its & other:
                pairs_of.setdefault(its & other, []).append(pairs_N)
    return [(shared, np.concatenate(indices)) for shared, indices in pairs_of.items()]


def _tested(
    values_MSP: FloatArray,
    first_N: _IndexArray,
    second_N: _IndexArray,
    generator: np.random.Generator,
    noise: SeedNoise | None,
) -> MeanTests:
    differences = contrasts(values_MSP, first_N, second_N, noise)
    z_2N = resampled_quantiles(values_MSP, first_N, second_N, generator)
    shape = (values_MSP.shape[1], values_MSP.shape[2])
    return MeanTests.of(
        differences.mean_N, differences.variance_N, differences.degrees_N, z_2N, noise, shape
    )
