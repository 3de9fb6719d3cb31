"""All pairs of many methods, compared on the same resamples in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from verirank.statistics._bootstrap import (
    TAIL,
    Squares,
    effects_of,
    of_seeds_alone,
    p_of_zero,
    resampled_offsets,
    residuals_of,
    standard_quantiles,
    variance_from_squares,
)
from verirank.statistics._scores import FloatArray
from verirank.statistics._seed_noise import SeedNoise

MOST_RESAMPLED = 100
"""Methods whose pairs are resampled; of more, the t-test stands for it.

Among thousands of pairs Holm's correction asks for p-values far below what resamples tell.
"""
_AT_ONCE = 2000
_ROUNDING = 1e-12
_IndexArray = NDArray[np.intp]


def p_of_pairs(
    values_MSP: FloatArray,
    first_N: _IndexArray,
    second_N: _IndexArray,
    generator: np.random.Generator,
    noise: SeedNoise | None,
) -> FloatArray:
    """Return the two-sided p-value of no difference, as `bootstrap_mean` has it, of N pairs.

    A difference's effects, residuals and resampled means are differences of the methods' own, so
    M methods are resampled instead of N pairs.

    Args:
        values_MSP: one value a method, seed and problem.
        first_N: the one method of each pair.
        second_N: the other.
        generator: the source of the resamples.
        noise: of the seeds, of each pair; None for that of the pair alone.
    """
    mean_M = values_MSP.mean(axis=(1, 2))
    mean_N = mean_M[first_N] - mean_M[second_N]
    parts = (*effects_of(values_MSP), residuals_of(values_MSP))
    squares = Squares(*(_squared_distances(part)[first_N, second_N] for part in parts))
    _, seeds, problems = values_MSP.shape
    variance_N, degrees_N = variance_from_squares(squares, seeds, problems, noise)
    z_N = np.full(len(mean_N), special.ndtri(TAIL))
    if len(values_MSP) <= MOST_RESAMPLED:
        z_N = _resampled_quantiles(values_MSP, first_N, second_N, mean_N, generator)
    p_N = p_of_zero(mean_N, variance_N, degrees_N, z_N)
    if noise is None:
        return p_N
    return np.maximum(p_N, of_seeds_alone(mean_N, noise, seeds)[1])


def _resampled_quantiles(
    values_MSP: FloatArray,
    first_N: _IndexArray,
    second_N: _IndexArray,
    mean_N: FloatArray,
    generator: np.random.Generator,
) -> FloatArray:
    """Return the standard quantile of every pair's resamples at the tail towards zero."""
    offsets_MR = resampled_offsets(values_MSP, generator)
    z_N = np.empty(len(mean_N))
    for start in range(0, len(z_N), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        offsets_NR = offsets_MR[first_N[some]] - offsets_MR[second_N[some]]
        # The tail towards zero is the lower one of a difference that is turned to be positive.
        offsets_NR[mean_N[some] <= 0] *= -1
        (z_N[some],) = standard_quantiles(offsets_NR, (TAIL,))
    return z_N


def _squared_distances(part: FloatArray) -> FloatArray:
    """Return the sum of squared differences of every two methods, M x M."""
    flat_MN = part.reshape(len(part), -1)
    product_MM = flat_MN @ flat_MN.T
    own_M = np.diagonal(product_MM)
    both_MM = own_M[:, None] + own_M[None, :]
    distance_MM = both_MM - 2 * product_MM
    # What remains of equal methods is rounding, and would pass for a spread.
    return np.where(distance_MM > _ROUNDING * both_MM, distance_MM, 0.0)
