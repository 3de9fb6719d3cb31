"""Agarwal et al.'s probability of improvement (arXiv:2108.13264).

One seed is one policy with a score on every task, so whole seeds are what chance draws. `rliable`
redraws runs within each task on its own, which is narrower than it should be where a seed's scores
rise and fall together. The tasks are taken as given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from verirank.statistics._bootstrap import TAIL
from verirank.statistics._scores import FloatArray, as_finite

FEWEST_SEEDS = 3
"""Fewer support no interval, and say nothing of how often one method beats another."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the interval that its seeds support.

    `low` and `high` are None where they support none: with fewer than three seeds, or where the
    seeds show no spread at all, which would make an interval of no width.
    """

    value: float
    low: float | None
    high: float | None


def probability_of_improvement(x_ST: ArrayLike, y_ST: ArrayLike) -> Estimate:
    """Return the chance that a seed of X beats one of Y on a task, the mean over tasks (sec. 4.3).

    P(X > Y) + P(X = Y) / 2 on each task: the Mann-Whitney U over the number of pairs. The interval
    is that of a two-sample U-statistic from each seed's own mean chance (DeLong, DeLong and
    Clarke-Pearson, Biometrics 44, 1988, eq. 3-5) on the log-odds scale, where it keeps its coverage
    near 0 and 1 (Qin and Hotilovac, Statistical Methods in Medical Research 17, 2008), with Welch's
    degrees of freedom.

    Args:
        x_ST: one score a seed and task of the one method.
        y_ST: of the other, on the same tasks; it may have another number of seeds.

    Raises:
        ValueError: not S x T, empty, a score is not finite, or the tasks differ.
    """
    x_ST, y_ST = _as_scores(x_ST), _as_scores(y_ST)
    if x_ST.shape[1] != y_ST.shape[1]:
        raise ValueError(f"needs the same tasks, not {x_ST.shape[1]} and {y_ST.shape[1]}")
    ahead = x_ST[:, None, :] - y_ST[None, :, :]
    chance_XY = ((np.sign(ahead) + 1) / 2).mean(axis=2)
    value = float(chance_XY.mean())
    if min(chance_XY.shape) < FEWEST_SEEDS:
        return Estimate(value, None, None)
    of_x = float(chance_XY.mean(axis=1).var(ddof=1)) / len(x_ST)
    of_y = float(chance_XY.mean(axis=0).var(ddof=1)) / len(y_ST)
    if of_x + of_y == 0:
        return Estimate(value, None, None)
    degrees = (of_x + of_y) ** 2 / (of_x**2 / (len(x_ST) - 1) + of_y**2 / (len(y_ST) - 1))
    half = float(special.stdtrit(degrees, 1 - TAIL)) * (of_x + of_y) ** 0.5
    half /= value * (1 - value)
    odds = float(special.logit(value))
    return Estimate(value, float(special.expit(odds - half)), float(special.expit(odds + half)))


def _as_scores(scores_ST: ArrayLike) -> FloatArray:
    return as_finite(scores_ST, ndim=2)
