"""Means that are each tested once: against no effect, equality, and an effect beyond a margin."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from verirank.statistics._bootstrap import (
    TAIL,
    bounds_and_p,
    own_noise,
    p_of_zero,
    resampled_offsets,
    standard_quantiles,
    variance_of_the_mean,
)
from verirank.statistics._holm import holm
from verirank.statistics._noise import ALPHA, POWER, detectable
from verirank.statistics._scores import FloatArray, as_finite
from verirank.statistics._seed_noise import SeedNoise

BoolArray = NDArray[np.bool_]
_OWN = 0.1
"""The weight of what a mean's own seeds say beside the noise that other arms tell too."""


@dataclass(frozen=True, slots=True)
class MeanTests:
    """N means of one family of tests, in fractions of 1.

    Attributes:
        mean_N: of each.
        low_N: the 95 % interval's lower bound, not corrected for the number of tests.
        high_N: its upper bound.
        p_N: two-sided p-value of a true mean of 0.
        variance_N: of the mean.
        degrees_N: of freedom of that variance.
        seed_N: the variance that one seed gives to the mean.
        seeds_N: the number of seeds; 0 where there is nothing to test, and p is 1 there.
        problems_N: the number of problems.
    """

    mean_N: FloatArray
    low_N: FloatArray
    high_N: FloatArray
    p_N: FloatArray
    variance_N: FloatArray
    degrees_N: FloatArray
    seed_N: FloatArray
    seeds_N: NDArray[np.intp]
    problems_N: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        mean_N: FloatArray,
        variance_N: FloatArray,
        degrees_N: FloatArray,
        z_2N: tuple[FloatArray, FloatArray],
        noise: SeedNoise | None,
        shape: tuple[int, int],
    ) -> MeanTests:
        """Return tested means over as many seeds and problems as `shape` has.

        Where all values are equal, other problems may have another value with a chance of at most
        1 - alpha^(1/P) (Clopper and Pearson, Biometrika 26, 1934) and be -1 or 1 there.
        """
        seeds, problems = shape
        low_N, high_N, p_N = bounds_and_p(mean_N, variance_N, degrees_N, z_2N, noise, seeds)
        flat_N = variance_N == 0
        others = 1 - TAIL ** (1 / problems)
        low_N = np.where(flat_N, mean_N - others * (1 + mean_N), low_N)
        high_N = np.where(flat_N, mean_N + others * (1 - mean_N), high_N)
        exact_N = np.minimum(1.0, 2 * (1 + np.abs(mean_N)) ** -float(problems))
        return cls(
            mean_N=mean_N,
            low_N=low_N.clip(-1, 1),
            high_N=high_N.clip(-1, 1),
            p_N=np.where(flat_N, exact_N, p_N),
            variance_N=variance_N,
            degrees_N=degrees_N,
            seed_N=np.zeros(len(mean_N)) if noise is None else _of_seeds(noise, seeds),
            seeds_N=np.full(len(mean_N), seeds),
            problems_N=np.full(len(mean_N), problems),
        )

    @classmethod
    def none(cls, count: int) -> MeanTests:
        """Return that many means with nothing to test."""
        floats = (np.full(count, value) for value in (0.0, -1.0, 1.0, 1.0, 0.0, 1.0, 0.0))
        return cls(*floats, *(np.zeros(count, dtype=np.intp) for _ in range(2)))

    def put(self, at_N: NDArray[np.intp], others: MeanTests) -> None:
        """Replace the means at some indices."""
        for one in fields(self):
            getattr(self, one.name)[at_N] = getattr(others, one.name)

    @property
    def is_tested_N(self) -> BoolArray:
        """Which means there is anything to test of."""
        return self.seeds_N > 0

    @property
    def p_holm_N(self) -> FloatArray:
        """The p-values corrected over the family."""
        return self._corrected(self.p_N)

    def equal_N(self, margin: float) -> BoolArray:
        """Return which true means surely lie within a margin, at 5 % over the family.

        Two one-sided t-tests each (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics
        15, 1987), corrected by Holm. One seed says nothing of others, so it makes nothing equal.

        Args:
            margin: a fraction of 1.

        Raises:
            ValueError: the margin is not positive.
        """
        if not margin > 0:
            raise ValueError("equality needs a positive margin")
        inside_N = margin - np.abs(self.mean_N)
        p_N = special.stdtr(self.degrees_N, -inside_N / self._error_N)
        exact_N = np.where(inside_N > 0, (1 - min(margin, 1.0)) ** self.problems_N, 1.0)
        p_N = np.where(self.variance_N > 0, p_N, exact_N)
        p_N = np.where(self.seeds_N > 1, p_N, 1.0)
        return self.is_tested_N & (self._corrected(p_N) <= ALPHA)

    def beyond_N(self, margin: float) -> BoolArray:
        """Return which true means surely lie outside a margin, at 5 % over the family.

        Raises:
            ValueError: the margin is negative.
        """
        if not margin >= 0:
            raise ValueError(f"a margin must be 0 or more, not {margin}")
        over_N = np.abs(self.mean_N) - margin
        p_N = np.minimum(1.0, 2 * special.stdtr(self.degrees_N, -over_N / self._error_N))
        p_N = np.where(self.variance_N > 0, p_N, np.where(over_N > 0, self.p_N, 1.0))
        return self.is_tested_N & (self._corrected(np.maximum(p_N, self.p_N)) <= ALPHA)

    def detectable(self, index: int, seeds: int | None = None) -> float:
        """Return the true mean that is found with 80 % power at the hardest step of Holm.

        Args:
            index: of the mean.
            seeds: of a design like this one; None for this one. The noise of problems stays.
        """
        had, tests = int(self.seeds_N[index]), max(1, int(self.is_tested_N.sum()))
        variance, degrees = float(self.variance_N[index]), float(self.degrees_N[index])
        if seeds is not None and had > 1:
            seed = float(self.seed_N[index])
            variance = max(variance - seed / had, 0.0) + seed / seeds
            degrees *= (seeds - 1) / (had - 1)
        return min(1.0, detectable(variance, degrees, ALPHA / tests, POWER))

    @property
    def _error_N(self) -> FloatArray:
        return np.sqrt(np.where(self.variance_N > 0, self.variance_N, 1.0))

    def _corrected(self, p_N: FloatArray) -> FloatArray:
        adjusted_N = np.ones(len(p_N))
        adjusted_N[self.is_tested_N] = holm(p_N[self.is_tested_N])
        return adjusted_N


def _of_seeds(noise: SeedNoise, seeds: int) -> FloatArray:
    """Return the variance that a further seed would lessen."""
    of_search_B = 0.0 if noise.search_B is None else seeds * noise.search_B
    return noise.variance_B - of_search_B


def mean_tests(
    values_BSP: ArrayLike, generator: np.random.Generator, noise: SeedNoise | None = None
) -> MeanTests:
    """Return B means of values over the same seeds and problems, as one family of tests.

    A p-value is never less than a tenth of the one that the mean's own seeds give. An arm whose
    seeds scatter far more than the others' may look calm by chance, and is then lent degrees of
    freedom that it has not; with the floor it is found by mistake at most ten times as often as the
    level says, so that one such arm of ten and more adds at most its share of one to the average.

    Args:
        values_BSP: one value a seed and problem.
        generator: the source of the resamples, as in `bootstrap_means`.
        noise: of the seeds, as `noise_of_arms` has it; None for what each alone tells.

    Raises:
        ValueError: not B x S x P, fewer than two problems, or a value is not finite.
    """
    values_BSP = as_finite(values_BSP, ndim=3)
    if values_BSP.shape[2] < 2:
        raise ValueError("an interval needs two problems at least")
    low_B, high_B = standard_quantiles(resampled_offsets(values_BSP, generator), (TAIL, 1 - TAIL))
    moments = variance_of_the_mean(values_BSP, noise)
    shape = (values_BSP.shape[1], values_BSP.shape[2])
    mean_B = values_BSP.mean(axis=(1, 2))
    tests = MeanTests.of(mean_B, *moments, (low_B, high_B), noise, shape)
    alone = _alone(values_BSP, noise)
    if alone is None:
        return tests
    z_B = np.where(mean_B > 0, low_B, high_B)
    p_alone_B = p_of_zero(mean_B, *variance_of_the_mean(values_BSP, alone), z_B)
    return replace(tests, p_N=np.maximum(tests.p_N, _OWN * p_alone_B))


def _alone(values_BSP: FloatArray, noise: SeedNoise | None) -> SeedNoise | None:
    """Return the noise that each mean's own seeds tell, and its search; None where it is known."""
    own = own_noise(values_BSP)
    if noise is None or own is None:
        return None
    search_B = 0.0 if noise.search_B is None else noise.search_B
    return SeedNoise(own.variance_B + values_BSP.shape[1] * search_B, own.degrees_B)
