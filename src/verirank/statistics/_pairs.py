"""All pairs of many methods, compared on the same resamples in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from verirank.statistics._bootstrap import (
    TAIL,
    Squares,
    effects_of,
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


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Differences of N pairs of arms, the variances of these means and their degrees of freedom."""

    mean_N: FloatArray
    variance_N: FloatArray
    degrees_N: FloatArray


def contrasts(
    values_MSP: FloatArray, first_N: _IndexArray, second_N: _IndexArray, noise: SeedNoise | None
) -> Contrasts:
    """Return the differences of N pairs of M methods with the variance of each.

    Args:
        values_MSP: one value a method, seed and problem.
        first_N: the one method of each pair.
        second_N: the other.
        noise: of the seeds, of each pair; None for that of the pair alone.
    """
    mean_M = values_MSP.mean(axis=(1, 2))
    parts = (*effects_of(values_MSP), residuals_of(values_MSP))
    squares = Squares(*(_squared_distances(part)[first_N, second_N] for part in parts))
    _, seeds, problems = values_MSP.shape
    moments = variance_from_squares(squares, seeds, problems, noise)
    return Contrasts(mean_M[first_N] - mean_M[second_N], *moments)


def resampled_quantiles(
    values_MSP: FloatArray,
    first_N: _IndexArray,
    second_N: _IndexArray,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Return the standard quantiles of every pair's resamples at both tails.

    A difference's resampled means are differences of the methods' own, so M methods are resampled
    instead of N pairs; of more than 100 methods the quantiles are those of the normal distribution.
    """
    low_N = np.full(len(first_N), special.ndtri(TAIL))
    high_N = -low_N
    if len(values_MSP) > MOST_RESAMPLED:
        return low_N, high_N
    offsets_MR = resampled_offsets(values_MSP, generator)
    for start in range(0, len(low_N), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        offsets_NR = offsets_MR[first_N[some]] - offsets_MR[second_N[some]]
        low_N[some], high_N[some] = standard_quantiles(offsets_NR, (TAIL, 1 - TAIL))
    return low_N, high_N


def _squared_distances(part: FloatArray) -> FloatArray:
    """Return the sum of squared differences of every two methods, M x M."""
    flat_MN = part.reshape(len(part), -1)
    product_MM = flat_MN @ flat_MN.T
    own_M = np.diagonal(product_MM)
    both_MM = own_M[:, None] + own_M[None, :]
    distance_MM = both_MM - 2 * product_MM
    # What remains of equal methods is rounding, and would pass for a spread.
    return np.where(distance_MM > _ROUNDING * both_MM, distance_MM, 0.0)
