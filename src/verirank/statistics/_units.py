"""Which units are independent: groups of problems."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._scores import FloatArray, as_finite


def by_groups(values_SP: ArrayLike, groups: Sequence[Hashable] | None) -> FloatArray:
    """Return `by_group` where problems have groups, two at least, and else the values themselves.

    Raises:
        ValueError: not S x P, a value is not finite, or the group of a problem is missing.
    """
    values_SP = as_finite(values_SP, ndim=2)
    if groups is not None and len(groups) != values_SP.shape[1]:
        raise ValueError(
            f"needs the group of every problem: {values_SP.shape[1]} problems, {len(groups)} groups"
        )
    return values_SP if groups is None or len(set(groups)) < 2 else by_group(values_SP, groups)


def by_group(values_SP: ArrayLike, groups: Sequence[Hashable]) -> FloatArray:
    """Return a value a seed and group of problems, whose plain mean is that over problems.

    A group's value is m + G / P times the sum of its problems' distances from the seed's mean m:
    the linearised mean of clusters of unequal size (Cochran, Sampling Techniques, 1977, sec. 9A).
    Groups then stand where problems do in every interval and test.

    Args:
        values_SP: one value a seed and problem, or a difference of two.
        groups: the group of each problem.

    Returns:
        S x G values, groups in the order of their first problem.

    Raises:
        ValueError: not S x P, a value is not finite, fewer than two groups, or one group a problem
            is missing.
    """
    values_SP = as_finite(values_SP, ndim=2)
    indices = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    problems = values_SP.shape[1]
    if len(groups) != problems or len(indices) < 2:
        raise ValueError("needs the group of every problem, and two groups at least")
    member_PG = np.zeros((problems, len(indices)))
    member_PG[np.arange(problems), [indices[group] for group in groups]] = 1
    mean_S1 = values_SP.mean(axis=1, keepdims=True)
    return mean_S1 + len(indices) / problems * ((values_SP - mean_S1) @ member_PG)
