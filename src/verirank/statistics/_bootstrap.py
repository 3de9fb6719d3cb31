"""How far a mean over seeds and problems may be from the truth."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from verirank.statistics._scores import FloatArray, as_finite
from verirank.statistics._seed_noise import SeedNoise

RESAMPLES = 2000
CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
NORMAL_R = special.ndtri((np.arange(RESAMPLES) + 0.5) / RESAMPLES)
"""What stands in for resamples of values that are all equal."""
_FEW_DEGREES = 1.5
"""Of freedom of the seeds' noise: with fewer, intervals cover 90 times in 100 if seeds matter."""
_ROUNDING = 1e-12
"""A spread below it is rounding, for values are fractions of 1."""


def fixed_generator() -> np.random.Generator:
    """Return a new generator of the same numbers: the same runs give the same intervals."""
    return np.random.default_rng(0)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the interval that covers the true one at the stated confidence.

    `over` names what was left to chance: with one seed that is problems and samples only, so the
    interval says nothing of how another training seed would have done. Of a method's own mean over
    two seeds it covers about 90 times in 100 where seeds matter, not 95. `p` is the two-sided
    p-value of a true mean of 0; at the interval's confidence both give the same verdict.
    """

    mean: float
    low: float
    high: float
    p: float
    over: tuple[str, ...]

    def within(self, lowest: float, highest: float) -> Interval:
        """Return the interval without the values that the quantity cannot have."""
        return replace(self, low=max(self.low, lowest), high=min(self.high, highest))


def bootstrap_mean(
    values_SP: ArrayLike, generator: np.random.Generator, noise: SeedNoise | None = None
) -> Interval:
    """Return the mean of values that every seed has for the same problems, with its interval.

    Problems are resampled with all their samples: their means already carry the samples' noise, and
    drawing them again would count it twice (Davison and Hinkley, Bootstrap Methods and their
    Application, 1997, sec. 3.8). Seeds, which are few, have normal multipliers instead. Resampled
    means are scaled to the two-way variance V_S + V_P - V_SP (Cameron, Gelbach and Miller, 2011,
    sec. 2), and percentiles are widened by t / z for the few seeds or problems there are.

    Args:
        values_SP: one value a seed and problem, such as the mean over its samples; with one seed
            the interval is over problems and samples only.
        generator: the source of the resamples.
        noise: of the seeds, as it is to be allowed for in a comparison (`of_seeds_alone`); None for
            what these values alone tell, which two seeds tell too low now and then.

    Returns:
        The mean, its interval, and the p-value of a true mean of 0.

    Raises:
        ValueError: not S x P, fewer than two problems, or a value is not finite.
    """
    values_SP = as_finite(values_SP, ndim=2)
    return bootstrap_means(values_SP[None], generator, noise)[0]


def bootstrap_means(
    values_BSP: ArrayLike, generator: np.random.Generator, noise: SeedNoise | None = None
) -> list[Interval]:
    """Return `bootstrap_mean` of B quantities of one shape, all on the same resamples.

    Raises:
        ValueError: not B x S x P, fewer than two problems, or a value is not finite.
    """
    values_BSP = as_finite(values_BSP, ndim=3)
    if values_BSP.shape[2] < 2:
        raise ValueError(f"expected seeds x problems (at least 1 x 2), not {values_BSP.shape[1:]}")
    over = varied(seeds=values_BSP.shape[1])
    bounds = _bounds(values_BSP, generator, noise)
    return [Interval(*map(float, row), over=over) for row in np.stack(bounds, axis=1)]


def varied(*, seeds: int) -> tuple[str, ...]:
    """Return what an interval over that many seeds lets vary."""
    return ("problems", "samples") if seeds == 1 else ("seeds", "problems", "samples")


def _bounds(
    values_BSP: FloatArray, generator: np.random.Generator, noise: SeedNoise | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return mean, low, high and p of each quantity."""
    mean_B = values_BSP.mean(axis=(1, 2))
    variance_B, degrees_B = variance_of_the_mean(values_BSP, noise)
    z_2B = standard_quantiles(resampled_offsets(values_BSP, generator), (TAIL, 1 - TAIL))
    seeds = values_BSP.shape[1]
    return mean_B, *bounds_and_p(mean_B, variance_B, degrees_B, z_2B, noise, seeds)


def bounds_and_p(
    mean_B: FloatArray,
    variance_B: FloatArray,
    degrees_B: FloatArray,
    z_2B: Sequence[FloatArray],
    noise: SeedNoise | None,
    seeds: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return low, high and p-value of means with the standard quantiles of both tails."""
    widened_B = np.sqrt(variance_B) * special.stdtrit(degrees_B, TAIL) / special.ndtri(TAIL)
    below_B, above_B = (widened_B * z_B for z_B in z_2B)
    p_B = p_of_zero(mean_B, variance_B, degrees_B, np.where(mean_B > 0, *z_2B))
    if noise is not None:
        half_B, p_of_seeds_B = of_seeds_alone(mean_B, noise, seeds)
        below_B, above_B = np.minimum(below_B, -half_B), np.maximum(above_B, half_B)
        p_B = np.maximum(p_B, p_of_seeds_B)
    return mean_B + below_B, mean_B + above_B, p_B


def own_noise(values_BSP: ArrayLike) -> SeedNoise | None:
    """Return the seeds' noise of each quantity as it alone tells it; None for one seed.

    Raises:
        ValueError: not B x S x P, or a value is not finite.
    """
    values_BSP = as_finite(values_BSP, ndim=3)
    seeds = values_BSP.shape[1]
    if seeds == 1:
        return None
    variance_B = values_BSP.mean(axis=2).var(axis=1, ddof=1)
    return SeedNoise(variance_B, np.full(len(variance_B), seeds - 1.0))


def has_few_degrees(noise: SeedNoise) -> NDArray[np.bool_]:
    """Return of which quantities two seeds alone tell their noise."""
    return noise.degrees_B < _FEW_DEGREES


def of_seeds_alone(
    mean_B: FloatArray, noise: SeedNoise, seeds: int
) -> tuple[FloatArray, FloatArray]:
    """Return the t interval's half width, and p-value, where seeds were all that varies.

    No difference is surer than that where two seeds alone tell their noise: a variance of one
    degree of freedom is small by chance now and then, and Satterthwaite's approximation then takes
    it for nothing. Of more degrees, which need not be whole, both are 0.
    """
    few_B = has_few_degrees(noise) & (noise.variance_B > 0)
    error_B = np.sqrt(np.where(few_B, noise.variance_B, 1.0) / seeds)
    half_B = special.stdtrit(noise.degrees_B, 1 - TAIL) * error_B
    p_B = np.minimum(2 * special.stdtr(noise.degrees_B, -np.abs(mean_B) / error_B), 1.0)
    return np.where(few_B, half_B, 0.0), np.where(few_B, p_B, 0.0)


def p_of_zero(
    mean_B: FloatArray, variance_B: FloatArray, degrees_B: FloatArray, z_B: FloatArray
) -> FloatArray:
    """Return two-sided p-values of a true mean of 0.

    Args:
        mean_B: of each quantity.
        variance_B: of that mean.
        degrees_B: of freedom of that variance.
        z_B: the resamples' standard quantile at the tail towards zero, -1.96 or 1.96 if normal.
    """
    z_B = np.where(variance_B > 0, z_B, 1.0)
    error_B = np.sqrt(np.where(variance_B > 0, variance_B, 1.0))
    t_B = np.abs(mean_B / error_B * special.ndtri(TAIL) / z_B)
    p_B = np.minimum(2 * special.stdtr(degrees_B, -t_B), 1.0)
    return np.where(variance_B > 0, p_B, np.where(mean_B == 0, 1.0, 0.0))


def effects_of(values_BSP: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far the mean of each seed, and of each problem, lies from that of all."""
    mean_B1 = values_BSP.mean(axis=(1, 2))[:, None]
    return values_BSP.mean(axis=2) - mean_B1, values_BSP.mean(axis=1) - mean_B1


@dataclass(frozen=True, slots=True)
class Squares:
    """Sums of squares of B quantities: of seeds' effects, of problems', and of what is left."""

    seeds_B: FloatArray
    problems_B: FloatArray
    residual_B: FloatArray


def variance_of_the_mean(
    values_BSP: FloatArray, noise: SeedNoise | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the variance of each mean and its degrees of freedom (Satterthwaite, 1946)."""
    effects = (*effects_of(values_BSP), residuals_of(values_BSP))
    squares = Squares(*(np.sum(part**2, axis=tuple(range(1, part.ndim))) for part in effects))
    return variance_from_squares(squares, values_BSP.shape[1], values_BSP.shape[2], noise)


def residuals_of(values_BSP: FloatArray) -> FloatArray:
    """Return what seeds do to single problems beside the effects of both."""
    effects_BS, effects_BP = effects_of(values_BSP)
    residual_BSP = values_BSP - values_BSP.mean(axis=(1, 2), keepdims=True)
    residual_BSP -= effects_BS[:, :, None] + effects_BP[:, None, :]
    return residual_BSP


def variance_from_squares(
    squares: Squares, seeds: int, problems: int, noise: SeedNoise | None
) -> tuple[FloatArray, FloatArray]:
    """Return `variance_of_the_mean` of quantities with these sums of squares."""
    problems_B = squares.problems_B / problems / (problems - 1)
    if seeds == 1:
        return problems_B, np.full(len(problems_B), float(problems - 1))
    if noise is None:
        noise = SeedNoise(squares.seeds_B / (seeds - 1), np.full(len(problems_B), seeds - 1.0))
    seeds_B = noise.variance_B / seeds
    crossed = (seeds - 1) * (problems - 1)
    both_B = squares.residual_B / crossed / seeds / problems
    # The difference can fall short by chance, but the mean varies at least as much as one factor.
    variance_B = np.maximum(np.maximum(seeds_B, problems_B), seeds_B + problems_B - both_B)
    uncertainty_B = seeds_B**2 / noise.degrees_B + problems_B**2 / (problems - 1)
    uncertainty_B += both_B**2 / crossed
    degrees_B = np.full(len(variance_B), float(crossed))
    np.divide(variance_B**2, uncertainty_B, out=degrees_B, where=uncertainty_B > 0)
    # Satterthwaite's approximation goes below either factor's degrees where components cancel.
    return variance_B, np.maximum(degrees_B, min(seeds, problems) - 1.0)


def resampled_offsets(values_BSP: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return resampled means less the mean, B x R; those of a difference are their difference."""
    effects_BS, effects_BP = effects_of(values_BSP)
    _, seeds, problems = values_BSP.shape
    # Whatever is asked with a generator in the same state is resampled alike, and so drawn once.
    drawn = _draws(pickle.dumps(generator), seeds, problems)
    generator.bit_generator.state = drawn.state
    offsets_BR = effects_BP @ drawn.weights_RP.T
    if seeds > 1:
        # A few seeds tell no shape: resampled, three that lie askew shorten a tail by a third.
        offsets_BR += effects_BS @ drawn.multipliers_SR / seeds
    return offsets_BR


def standard_quantiles(offsets_BR: FloatArray, tails: Sequence[float]) -> list[FloatArray]:
    """Return each quantity's quantiles, as if its offsets had been scaled to variance 1.

    Interpolated as `np.quantile` does. Partitions the array in place.
    """
    square_B = np.einsum("br,br->b", offsets_BR, offsets_BR) / RESAMPLES
    spread_B = np.sqrt(np.maximum(square_B - offsets_BR.mean(axis=1) ** 2, 0.0))
    positions = [divmod(tail * (RESAMPLES - 1), 1) for tail in tails]
    offsets_BR.partition([int(below) + n for below, _ in positions for n in (0, 1)], axis=1)
    # Values that are all equal leave nothing to resample, though given noise may move their mean.
    flat_B = spread_B < _ROUNDING
    quantiles = []
    for tail, (below, fraction) in zip(tails, positions, strict=True):
        below_B, above_B = offsets_BR[:, int(below)], offsets_BR[:, int(below) + 1]
        quantile_B = (below_B + fraction * (above_B - below_B)) / np.where(flat_B, 1.0, spread_B)
        quantiles.append(np.where(flat_B, np.quantile(NORMAL_R, tail), quantile_B))
    return quantiles


@dataclass(frozen=True, slots=True)
class _Draws:
    """The problems' weights, the seeds' multipliers in each resample; the generator's state then.

    One seed has no multiplier.
    """

    weights_RP: FloatArray
    multipliers_SR: FloatArray
    state: Any


@lru_cache(maxsize=1)
def _draws(pickled: bytes, seeds: int, problems: int) -> _Draws:
    """Return what a generator, given as its pickle, draws.

    The last draws are kept as long as the process lives, 16 kB a problem and a seed: most are asked
    for many times in a row.
    """
    generator: np.random.Generator = pickle.loads(pickled)
    weights_RP = _resampling_weights(problems, generator)
    multipliers_SR = generator.normal(size=(seeds if seeds > 1 else 0, RESAMPLES))
    for shared in (weights_RP, multipliers_SR):
        shared.setflags(write=False)
    return _Draws(weights_RP, multipliers_SR, generator.bit_generator.state)


def _resampling_weights(size: int, generator: np.random.Generator) -> FloatArray:
    """Return how often each of `size` units is drawn in each resample, as a fraction."""
    drawn = generator.integers(size, size=(RESAMPLES, size))
    drawn += size * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=RESAMPLES * size)
    return counts.reshape(RESAMPLES, size) / size
