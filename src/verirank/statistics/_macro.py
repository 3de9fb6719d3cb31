"""Several benches as one: values whose plain mean is the mean over benches, each counting alike."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._scores import FloatArray, as_correct, shares_right


def macro_average(benches: Sequence[ArrayLike]) -> FloatArray:
    """Return values of the problems of all benches whose plain mean is the mean over benches.

    With M_s the mean over benches of seed s's means m_sb, problem p of bench b has the value
    M_s + w_b (v_sp - m_sb), w_b = P/(B P_b) sqrt(P_b (P - 1) / ((P_b - 1) P)). So each seed's mean
    is M_s, and the variance of the mean over problems, as of one bench, is the stratified one,
    sum_b s_b^2 / P_b / B^2 (Cochran, Sampling Techniques, 1977, eq. 5.6): benches are given, their
    problems are drawn. The map is linear, so values of two methods may be subtracted. They are no
    shares of 1, only their means are.

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
    shares = [
        shares_right(correct_SPK.reshape(*correct_SPK.shape[:2], samples, -1))
        for correct_SPK in sampled
    ]
    if len({len(values_SPK) for values_SPK in shares}) != 1:
        raise ValueError("an average over benches needs one bench at least, and the same seeds")
    if min(values_SPK.shape[1] for values_SPK in shares) < 2:
        raise ValueError("an average over benches needs two problems of each at least")
    total = sum(values_SPK.shape[1] for values_SPK in shares)
    means_BS11 = [values_SPK.mean(axis=(1, 2), keepdims=True) for values_SPK in shares]
    middle_S11 = np.mean(means_BS11, axis=0)
    for values_SPK, mean_S11 in zip(shares, means_BS11, strict=True):
        values_SPK -= mean_S11
        values_SPK *= _weight(values_SPK.shape[1], total, len(shares))
        values_SPK += middle_S11
    return np.concatenate(shares, axis=1)


def _weight(problems: int, total: int, benches: int) -> float:
    stratified = problems * (total - 1) / ((problems - 1) * total)
    return total / (benches * problems) * stratified**0.5
