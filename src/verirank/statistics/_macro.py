"""Several benches as one: values whose plain mean is the mean over benches, each counting alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._scores import FloatArray, as_shares


def macro_average(benches: Sequence[ArrayLike]) -> FloatArray:
    """Return values of the problems of all benches whose plain mean is the mean over benches.

    With M_s the mean over benches of seed s's means m_sb, problem p of bench b has the value
    M_s + w_b (v_sp - m_sb), w_b = P/(B P_b) sqrt(P_b (P - 1) / ((P_b - 1) P)). So each seed's mean
    is M_s, and the variance of the mean over problems, as of one bench, is the stratified one,
    sum_b s_b^2 / P_b / B^2 (Cochran, Sampling Techniques, 1977, eq. 5.6): benches are given, their
    problems are drawn. The map is linear, so values of two methods may be subtracted. They are no
    shares of 1, only their means are.

    Args:
        benches: of each of B benches an array of `as_shares`: S seeds, P_b problems.

    Returns:
        S x P values, the benches one after the other, P problems in all.

    Raises:
        ValueError: there is no bench, the seeds differ, or a bench has fewer than two problems.
    """
    shares = [as_shares(bench) for bench in benches]
    if len({len(values_SP) for values_SP in shares}) != 1:
        raise ValueError("an average over benches needs one bench at least, and the same seeds")
    if min(values_SP.shape[1] for values_SP in shares) < 2:
        raise ValueError("an average over benches needs two problems of each at least")
    total = sum(values_SP.shape[1] for values_SP in shares)
    means_S1 = np.mean([values_SP.mean(axis=1) for values_SP in shares], axis=0)[:, None]
    return np.concatenate(
        [
            means_S1
            + _weight(values_SP.shape[1], total, len(shares))
            * (values_SP - values_SP.mean(axis=1, keepdims=True))
            for values_SP in shares
        ],
        axis=1,
    )


def _weight(problems: int, total: int, benches: int) -> float:
    stratified = problems * (total - 1) / ((problems - 1) * total)
    return total / (benches * problems) * stratified**0.5
