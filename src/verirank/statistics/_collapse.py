"""Which seeds of an arm collapsed, by what the seeds of all arms show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from verirank.statistics._scores import FloatArray, as_finite

_FALSE = 0.01
"""The chance that any seed of a study is called collapsed by mistake where seeds are normal."""
_LEAST = 0.03
"""A seed that lies less below the others of its arm has not collapsed, a fraction of 1."""
_FEWEST_ARMS = 3
_MOST = 0.3
"""The fraction of all seeds that may have collapsed."""


def collapsed_seeds(means: Sequence[ArrayLike]) -> list[NDArray[np.bool_]]:
    """Return which seeds of each arm collapsed: fell far below the arm's other seeds.

    The generalised extreme studentised deviate test of Rosner (Technometrics 25, 1983), one-sided,
    with the mean of its arm for each seed and one standard deviation for all: the most extreme seed
    is taken away until 30 % are gone. Those up to the last one that is significant have collapsed,
    if they lie 3 points or more below the others of their arm. Taking away more than is significant
    keeps several collapsed seeds from hiding each other.

    Args:
        means: each arm's means over problems and samples, one a seed, in fractions of 1.

    Returns:
        A boolean array an arm; all false where fewer than three arms have two seeds or more, which
        do not tell how far seeds usually lie apart.

    Raises:
        ValueError: an arm has no seed, or a value is not finite.
    """
    means_M = [as_finite(one, ndim=1) for one in means]
    collapsed = [np.zeros(len(one), dtype=np.bool_) for one in means_M]
    several = [m for m, one in enumerate(means_M) if len(one) > 1]
    if len(several) < _FEWEST_ARMS:
        return collapsed
    rising = {m: np.argsort(means_M[m], kind="stable") for m in several}
    for m, rank in _significant([means_M[m][rising[m]] for m in several]):
        seed = rising[several[m]][rank]
        others = np.delete(means_M[several[m]], rising[several[m]][: rank + 1])
        collapsed[several[m]][seed] = others.mean() - means_M[several[m]][seed] > _LEAST
    return collapsed


def _significant(rising_M: list[FloatArray]) -> list[tuple[int, int]]:
    """Return the arm and the rank from below of each seed up to the last significant one."""
    arms, total = len(rising_M), sum(map(len, rising_M))
    left_M = np.array([len(one) for one in rising_M], dtype=np.float64)
    mean_M = np.array([one.mean() for one in rising_M])
    square_M = np.array([len(one) * one.var() for one in rising_M])
    lowest_M = np.array([one[0] for one in rising_M])
    taken, significant = list[tuple[int, int]](), 0
    for _ in range(int(_MOST * total)):
        degrees = left_M.sum() - arms - 1
        if degrees < 1:
            break
        factor_M = left_M / np.maximum(left_M - 1, 1)
        own_M = np.where(left_M > 1, factor_M * (mean_M - lowest_M) ** 2, 0.0)
        rest_M = np.maximum(square_M.sum() - own_M, 0.0) / degrees
        t_M = np.sqrt(own_M / np.maximum(rest_M, np.finfo(np.float64).tiny))
        m = int(t_M.argmax())
        rank = len(rising_M[m]) - int(left_M[m])
        taken.append((m, rank))
        if special.stdtr(degrees, -t_M[m]) <= _FALSE / left_M.sum():
            significant = len(taken)
        kept = rising_M[m][rank + 1 :]
        left_M[m], mean_M[m], lowest_M[m] = len(kept), kept.mean(), kept[0]
        square_M[m] = len(kept) * kept.var()
    return taken[:significant]
