"""How likely each arm is the best, and near the best."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from verirank.statistics._bootstrap import fixed_generator
from verirank.statistics._scores import FloatArray, as_finite

_NODES = 24
"""At which each of the two unknown scales is tried."""
_DRAWS, _MOST_NUMBERS = 20_000, 4_000_000
_MOST_DEGREES = 1e6
_MIDDLES = (np.arange(_NODES) + 0.5) / _NODES


@dataclass(frozen=True, slots=True)
class Posterior:
    """Arms' true means, given all of them.

    Attributes:
        mean_M: shrunk towards the mean of all arms. The best arm's own mean is optimistic by what
            it lies above this.
        sd_M: of each.
        best_M: the chance that the arm is the best.
        near_best_M: the chance that it is within the margin of the best.
    """

    mean_M: FloatArray
    sd_M: FloatArray
    best_M: FloatArray
    near_best_M: FloatArray


def posterior(
    mean_M: ArrayLike, variance_M: ArrayLike, margin: float, degrees: float = inf
) -> Posterior:
    """Return the posterior of a normal hierarchical model whose two scales are unknown.

    True means are N(mu, A), observed ones N(true, c V_i), mu flat. sqrt(A) is half-Cauchy at the
    scale of sqrt(c V0), V0 the harmonic mean of V, so that also two arms can bear it (Gelman,
    Bayesian Analysis 1, 2006): the fraction of noise in the spread, c V0 / (c V0 + A), then is
    Beta(1/2, 1/2). 1 / c is a chi-square over its degrees of freedom. Both are tried at 24
    quantiles each, weighed by the likelihood of the means (Gelman et al., Bayesian Data Analysis,
    2013, eq. 5.21). Chances are counted over 20,000 draws, fewer of more than 200 arms, and so
    known to 0.4 points.

    Args:
        mean_M: each arm's mean, a fraction of 1.
        variance_M: of that mean, without what moves all arms alike; positive.
        margin: a fraction of 1.
        degrees: of freedom of these variances together.

    Raises:
        ValueError: not M means and M positive variances, a value is not finite, the margin is
            negative, or the degrees are not positive.
    """
    mean_M, variance_M = as_finite(mean_M, ndim=1), as_finite(variance_M, ndim=1)
    if mean_M.shape != variance_M.shape or not (variance_M > 0).all():
        raise ValueError("needs a positive variance for every mean")
    if not 0 <= margin < inf or not degrees > 0:
        raise ValueError(f"needs a margin of 0 or more and degrees, not {margin} and {degrees}")
    grid = _Grid.of(mean_M, variance_M, min(degrees, _MOST_DEGREES))
    given_GM = mean_M - grid.shrink_GM * (mean_M - grid.centre_G[:, None])
    own_GM = grid.variance_GM * (1 - grid.shrink_GM)
    shared_GM = grid.shrink_GM * grid.centre_sd_G[:, None]
    shrunk_M = grid.weight_G @ given_GM
    square_M = grid.weight_G @ (own_GM + shared_GM**2 + (given_GM - shrunk_M) ** 2)
    generator = fixed_generator()
    draws = min(_DRAWS, _MOST_NUMBERS // len(mean_M) + 1)
    at_D = _in_proportion(grid.weight_G, draws)
    drawn_DM = generator.standard_normal((draws, len(mean_M)))
    drawn_DM *= np.sqrt(own_GM)[at_D]
    drawn_DM += given_GM[at_D] + shared_GM[at_D] * generator.standard_normal((draws, 1))
    behind_DM = drawn_DM.max(axis=1, keepdims=True) - drawn_DM
    # Of arms that are no draw's best all that is known is that their chance is below one draw's.
    best_M = ((behind_DM == 0).sum(axis=0) + 1 / len(mean_M)) / (draws + 1)
    near_M = (behind_DM <= margin).mean(axis=0)
    return Posterior(shrunk_M, np.sqrt(square_M), best_M, np.maximum(near_M, best_M))


@dataclass(frozen=True, slots=True)
class _Grid:
    """The scales that are tried, each with its weight and what it says of the means.

    `shrink_GM` is how far each mean is drawn towards `centre_G`, whose error is `centre_sd_G`.
    """

    weight_G: FloatArray
    variance_GM: FloatArray
    shrink_GM: FloatArray
    centre_G: FloatArray
    centre_sd_G: FloatArray

    @classmethod
    def of(cls, mean_M: FloatArray, variance_M: FloatArray, degrees: float) -> _Grid:
        scale_C = degrees / (2 * special.gammaincinv(degrees / 2, _MIDDLES))
        fraction_B = special.betaincinv(0.5, 0.5, _MIDDLES)
        scale_G, noise_G = (one.ravel() for one in np.meshgrid(scale_C, fraction_B))
        typical = len(variance_M) / float((1 / variance_M).sum())
        variance_GM = scale_G[:, None] * variance_M
        spread_G = scale_G * typical * (1 - noise_G) / noise_G
        total_GM = variance_GM + spread_G[:, None]
        precision_G = (1 / total_GM).sum(axis=1)
        centre_G = (mean_M / total_GM).sum(axis=1) / precision_G
        off_G = ((mean_M - centre_G[:, None]) ** 2 / total_GM).sum(axis=1)
        log_G = -0.5 * (np.log(total_GM).sum(axis=1) + np.log(precision_G) + off_G)
        return cls(
            special.softmax(log_G), variance_GM, variance_GM / total_GM, centre_G, precision_G**-0.5
        )


def _in_proportion(weight_G: FloatArray, draws: int) -> np.ndarray:
    """Return a node for every draw, each as often as its weight says."""
    quantiles_D = (np.arange(draws) + 0.5) / draws
    return np.searchsorted(np.cumsum(weight_G), quantiles_D).clip(max=len(weight_G) - 1)
