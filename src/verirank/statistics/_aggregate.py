"""Agarwal et al.'s aggregates (arXiv:2108.13264): interquartile mean, probability of improvement.

One seed is one policy with a score on every task, so whole seeds are what chance draws. `rliable`
redraws runs within each task on its own, which is narrower than it should be where a seed's scores
rise and fall together. The tasks are taken as given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from verirank.statistics._bootstrap import RESAMPLES, TAIL
from verirank.statistics._scores import FloatArray

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


def interquartile_mean(scores_ST: ArrayLike, generator: np.random.Generator) -> Estimate:
    """Return the mean of the middle half of all scores of S seeds on T tasks (sec. 4.3).

    The interval resamples whole seeds; its width is scaled by sqrt(S / (S - 1)), which a bootstrap
    of S units falls short of, and by t / z with S - 1 degrees of freedom.

    Args:
        scores_ST: one score a seed and task, a share of 1.
        generator: the source of the resamples.

    Raises:
        ValueError: not S x T, empty, or a score is not finite.
    """
    scores_ST = _as_scores(scores_ST)
    seeds = len(scores_ST)
    value = float(_middle_half(scores_ST.reshape(1, -1)).mean())
    if seeds < FEWEST_SEEDS:
        return Estimate(value, None, None)
    drawn_RS = generator.integers(seeds, size=(RESAMPLES, seeds))
    # Places among the few scores that there are sort sooner than the scores themselves.
    known_N, place_ST = np.unique(scores_ST, return_inverse=True)
    drawn_RST = np.take(place_ST.astype(np.int32).reshape(scores_ST.shape), drawn_RS, axis=0)
    resampled_R = known_N[_middle_half(drawn_RST.reshape(RESAMPLES, -1))].mean(axis=1)
    widening = special.stdtrit(seeds - 1, TAIL) / special.ndtri(TAIL)
    widening *= np.sqrt(seeds / (seeds - 1))
    offsets = widening * (np.quantile(resampled_R, [TAIL, 1 - TAIL]) - value)
    if not offsets.any():
        return Estimate(value, None, None)
    low, high = (value + offsets).clip(0.0, 1.0).tolist()
    return Estimate(value, low, high)


def _middle_half(values_RN: NDArray[Any]) -> NDArray[Any]:
    """Return the middle half of every row's values in their order."""
    cut = values_RN.shape[1] // 4
    return np.sort(values_RN, axis=1)[:, cut : values_RN.shape[1] - cut]


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
    scores_ST = np.asarray(scores_ST, dtype=np.float64)
    if scores_ST.ndim != 2 or scores_ST.size == 0:
        raise ValueError(f"expected seeds x tasks, not {scores_ST.shape}")
    if not np.isfinite(scores_ST).all():
        raise ValueError("a score is not finite: score a missing or failed sample as wrong")
    return scores_ST
