"""Intervals of accuracies on the log-odds scale, which hold near 0 and 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from verirank.statistics._bootstrap import (
    CONFIDENCE,
    Interval,
    variance_of_the_mean,
    varied,
)
from verirank.statistics._scores import FloatArray, as_correct, as_finite, fraction_correct
from verirank.statistics._seed_noise import SeedNoise

_FEWEST_DEGREES = 2.0
_ROUNDING = 1e-9


def accuracy_interval(correct_SPK: ArrayLike) -> Interval:
    """Return Avg@k over S seeds, P problems and K samples, with its interval on the log-odds.

    Args:
        correct_SPK: whether each sample is right; a missing or failed one is a wrong one.

    Returns:
        A fraction of 1 and its interval; see `accuracy_intervals`.

    Raises:
        ValueError: the array is not boolean or not S x P x K, or there is only one problem.
    """
    return accuracy_intervals(fraction_correct(as_correct(correct_SPK, ndim=3))[None])[0]


def accuracy_intervals(values_BSP: ArrayLike, noise: SeedNoise | None = None) -> list[Interval]:
    """Return the mean of each of B accuracies with a t interval of its log-odds.

    logit(m) +- t sqrt(V) / (m (1 - m)), V the two-way variance of `variance_of_the_mean` (delta
    method; Korn and Graubard, Survey Methodology 24, 1998, compare such intervals). Where most
    problems are hopeless or certain, few of them tell the variance. So its degrees of freedom are
    at most 2 / (2 / (P - 1) + g / P), by the variance of a sample variance at excess kurtosis g of
    the problems' means. An accuracy of exactly 0 or 1 counts as half a problem of P + 1.

    Args:
        values_BSP: one share a seed and problem, or a value of `macro_average`.
        noise: of the seeds, as `noise_of_arms` has it; None for what each accuracy alone tells.

    Returns:
        Shares of 1; `p` is that of a true accuracy of 0, which is 0 unless nothing was right.

    Raises:
        ValueError: not B x S x P, fewer than two problems, a value is not finite, or the mean of a
            seed is not in [0, 1].
    """
    values_BSP = as_finite(values_BSP, ndim=3)
    _, seeds, problems = values_BSP.shape
    if problems < 2:
        raise ValueError("an interval needs two problems at least")
    mean_BS = values_BSP.mean(axis=2)
    if mean_BS.min() < -_ROUNDING or mean_BS.max() > 1 + _ROUNDING:
        raise ValueError("accuracies are fractions of 1: the mean of a seed is not in [0, 1]")
    mean_B = mean_BS.mean(axis=1).clip(0, 1)
    variance_B, degrees_B = variance_of_the_mean(values_BSP, noise)
    of_problems_B = _degrees_of_problems(values_BSP.mean(axis=1))
    degrees_B = np.minimum(degrees_B, np.maximum(of_problems_B, _FEWEST_DEGREES))
    inside_B = (mean_B > 0) & (mean_B < 1)
    edge = 0.5 / (problems + 1)
    middle_B = np.where(inside_B, mean_B, mean_B.clip(edge, 1 - edge))
    variance_B = np.where(inside_B, variance_B, middle_B * (1 - middle_B) / problems)
    t_B = special.stdtrit(degrees_B, (1 + CONFIDENCE) / 2)
    half_B = t_B * np.sqrt(variance_B) / (middle_B * (1 - middle_B))
    odds_B = special.logit(middle_B)
    low_B = np.minimum(special.expit(odds_B - half_B), mean_B)
    high_B = np.maximum(special.expit(odds_B + half_B), mean_B)
    rows = zip(mean_B.tolist(), low_B.tolist(), high_B.tolist(), strict=True)
    over = varied(seeds=seeds)
    return [Interval(mean, low, high, float(mean == 0), over) for mean, low, high in rows]


def _degrees_of_problems(means_BP: FloatArray) -> FloatArray:
    """Return how many degrees of freedom the variance of P means has, given their kurtosis."""
    problems = means_BP.shape[1]
    effects_BP = means_BP - means_BP.mean(axis=1, keepdims=True)
    square_B = (effects_BP**2).mean(axis=1)
    fourth_B = (effects_BP**4).mean(axis=1)
    kurtosis_B = np.full(len(square_B), 3.0)
    np.divide(fourth_B, square_B**2, out=kurtosis_B, where=square_B > 0)
    return 2 / (2 / (problems - 1) + np.maximum(kurtosis_B - 3, 0) / problems)
