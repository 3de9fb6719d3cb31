"""Several benches as one: values whose plain mean is the mean over benches, each counting alike."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._scores import FloatArray, as_correct, as_finite, fraction_correct


def macro_average(benches: Sequence[ArrayLike]) -> FloatArray:
    """Return values of the problems of all benches whose plain mean is the mean over benches.

    With M_s the mean over benches of seed s's means m_sb, problem p of bench b has the value
    M_s + w_b (v_sp - m_sb), w_b = P/(B P_b) sqrt(P_b (P - 1) / ((P_b - 1) P)). So each seed's mean
    is M_s, and the variance of the mean over problems, as of one bench, is the stratified one,
    sum_b s_b^2 / P_b / B^2 (Cochran, Sampling Techniques, 1977, eq. 5.6): benches are given, their
    problems are drawn. The map is linear, so values of two methods may be subtracted. They are no
    fractions of 1, only their means are.

    Args:
        benches: of each of B benches whether each sample is right, S x P_b x K_b.

    Returns:
        S x P x K values, the benches one after the other, P problems in all. K is the greatest
        common divisor of the K_b: a bench with more samples has means over equal parts of them.

    Raises:
        ValueError: there is no bench, an array is not boolean, the seeds differ, or a bench has
            fewer than two problems.
    """
    sampled = [as_correct(bench, ndim=3) for bench in benches]
    samples = gcd(*(correct_SPK.shape[2] for correct_SPK in sampled))
    fractions = [
        fraction_correct(correct_SPK.reshape(*correct_SPK.shape[:2], samples, -1))
        for correct_SPK in sampled
    ]
    return _together(fractions)


def macro_accuracies(benches: Sequence[FloatArray]) -> FloatArray:
    """Return the means of `macro_average` over each problem's samples, S x P.

    Args:
        benches: of each of B benches the means over each problem's samples, S x P_b.

    Raises:
        ValueError: there is no bench, the seeds differ, or a bench has fewer than two problems.
    """
    return _together([as_finite(values_SP, ndim=2).copy() for values_SP in benches])


def _together(benches: list[FloatArray]) -> FloatArray:
    """Give the values of each bench, S x P_b or S x P_b x K, their weight in place; join them."""
    if len({len(values) for values in benches}) != 1:
        raise ValueError("an average over benches needs one bench at least, and the same seeds")
    if min(values.shape[1] for values in benches) < 2:
        raise ValueError("an average over benches needs two problems of each at least")
    total, others = sum(values.shape[1] for values in benches), tuple(range(1, benches[0].ndim))
    means = [values.mean(axis=others, keepdims=True) for values in benches]
    middle = np.mean(means, axis=0)
    for values, mean in zip(benches, means, strict=True):
        values -= mean
        values *= _weight(values.shape[1], total, len(benches))
        values += middle
    return np.concatenate(benches, axis=1)


def _weight(problems: int, total: int, benches: int) -> float:
    stratified = problems * (total - 1) / ((problems - 1) * total)
    return total / (benches * problems) * stratified**0.5
