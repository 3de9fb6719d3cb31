"""How far seeds move means, as all methods of a study tell it together.

Two or three seeds hardly tell one method's variance, and methods differ in it: one that collapses
scatters, one that barely moves does not. So variances are moderated, which lends each the degrees
of freedom of the others as far as these agree (Smyth, Statistical Applications in Genetics and
Molecular Biology 3, 2004, sec. 4 and 6.2). Two things are stricter than there: they are drawn
towards the arithmetic mean of all variances, not the geometric one, and one that is larger than
what it is drawn to stays as it is. Without that, simulations find more false differences than 5 %
where one method scatters more than the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from verirank.statistics._scores import FloatArray, as_finite

_MOST = 1e7
_ALIKE = 0.8
"""Of arms that scatter alike, so many are lent all degrees."""
_LEAST_SHARE = 1e-5
"""Of the mean variance: a smaller one counts as so much where logarithms are taken."""


@dataclass(frozen=True, slots=True)
class SeedNoise:
    """The variance that a seed gives to each of B quantities, and its degrees of freedom.

    The variance is of one seed's mean over problems and samples; over S seeds it is S times less.
    `search_B` is what a search of learning rates adds to the mean over all S seeds: it is part of
    the variance, S times, and more seeds leave it as it is.
    """

    variance_B: FloatArray
    degrees_B: FloatArray
    search_B: FloatArray | None = None

    def __post_init__(self) -> None:
        """Refuse what is no variance.

        Raises:
            ValueError: a variance is not finite or is negative, or degrees are not positive.
        """
        known = np.isfinite(self.variance_B) & (self.variance_B >= 0)
        if not np.all(known) or not np.all(self.degrees_B > 0):
            raise ValueError("the noise of seeds needs finite variances and degrees above 0")


def noise_of_differences(
    means_MS: ArrayLike,
    first_N: NDArray[np.intp],
    second_N: NDArray[np.intp],
    clean_M: NDArray[np.bool_] | None = None,
) -> SeedNoise | None:
    """Return the seeds' noise of the differences between N pairs of M methods.

    A method's variance is the mean square of its interaction with the seeds, moderated by the other
    methods'; a difference has the sum of two, with Satterthwaite's degrees of freedom (1946), never
    more than the whole interaction has. Of two methods alone it is that of the paired t-test.

    Args:
        means_MS: each method's mean over problems and samples for the same S seeds.
        first_N: the one method of each pair.
        second_N: the other.
        clean_M: the methods that moderate each other. One that has collapsed keeps the noise of its
            own seeds and lends nothing. None for all; fewer than two count as all.

    Returns:
        The noise of each pair; None for one seed or one method, which have none.

    Raises:
        ValueError: not M x S, or a value is not finite.
    """
    means_MS = as_finite(means_MS, ndim=2)
    methods, seeds = means_MS.shape
    if methods == 1 or seeds == 1:
        return None
    clean_M = np.ones(methods, dtype=np.bool_) if clean_M is None else clean_M
    clean = int(np.sum(clean_M))
    if clean < 2:
        clean_M, clean = np.ones(methods, dtype=np.bool_), methods
    shared_S = means_MS[clean_M].mean(axis=0)
    residual_MS = means_MS - means_MS.mean(axis=1, keepdims=True) - (shared_S - shared_S.mean())
    own_M = np.sum(residual_MS**2, axis=1) / (seeds - 1)
    own_M[clean_M] *= clean / (clean - 1)
    each = SeedNoise(own_M, np.full(methods, seeds - 1.0))
    pooled = moderated(own_M[clean_M], each.degrees_B[clean_M], clean - 1)
    each.variance_B[clean_M], each.degrees_B[clean_M] = pooled.variance_B, pooled.degrees_B
    a_N, b_N = each.variance_B[first_N], each.variance_B[second_N]
    uncertainty_N = a_N**2 / each.degrees_B[first_N] + b_N**2 / each.degrees_B[second_N]
    most = float((clean - 1) * (seeds - 1))
    degrees_N = np.full(len(a_N), most)
    np.divide((a_N + b_N) ** 2, uncertainty_N, out=degrees_N, where=uncertainty_N > 0)
    return SeedNoise(a_N + b_N, np.minimum(degrees_N, most))


def moderated(own_B: FloatArray, degrees: float | FloatArray, independent: float) -> SeedNoise:
    """Return variances of which each is told by the others too.

    With d0 prior degrees a variance becomes (d0 mean + d own) / (d0 + d) on d0 + d degrees, but not
    more than those of all together. The mean weighs each variance by its degrees. One that is
    larger than the mean of the others by more than F's quantile of 80 % is lent fewer: those times
    (quantile / ratio)^2. What lies far above the others is told by its own seeds.

    Args:
        own_B: each quantity's own variance.
        degrees: d, of freedom of each, or of all alike.
        independent: how many independent variances these are worth; one alone stays as it is.
    """
    degrees_B = np.broadcast_to(np.asarray(degrees, dtype=np.float64), own_B.shape)
    prior = _prior_degrees(own_B, degrees_B, independent)
    pooled = float(np.average(own_B, weights=degrees_B))
    drawn_B = (prior * pooled + degrees_B * own_B) / (prior + degrees_B)
    most_B = np.maximum(degrees_B.mean() * max(independent, 1.0), degrees_B)
    lent_B = np.minimum(prior + degrees_B, most_B) - degrees_B
    lent_B *= _part_lent(own_B, degrees_B, independent)
    return SeedNoise(np.maximum(drawn_B, own_B), degrees_B + lent_B)


def _part_lent(own_B: FloatArray, degrees_B: FloatArray, independent: float) -> FloatArray:
    """Return the part of the others' degrees that each variance is lent, from 0 to 1."""
    weighed_B, all_degrees = degrees_B * own_B, float(degrees_B.sum())
    if len(own_B) < 2:
        return np.ones(len(own_B))
    others_B = (weighed_B.sum() - weighed_B) / (all_degrees - degrees_B)
    others_degrees = degrees_B.mean() * max(independent - 1, 1.0)
    most_B = special.fdtri(degrees_B, others_degrees, _ALIKE) * np.maximum(others_B, 0.0)
    part_B = np.ones(len(own_B))
    np.divide(most_B, own_B, out=part_B, where=own_B > most_B)
    return part_B**2


def _prior_degrees(own_B: FloatArray, degrees_B: FloatArray, independent: float) -> float:
    """Return Smyth's d0, by moments of the variances' logarithms (sec. 6.2)."""
    if independent <= 1:
        return 0.0
    if not own_B.any():
        return _MOST
    logarithms_B = np.log(np.maximum(own_B, _LEAST_SHARE * own_B.mean()))
    logarithms_B -= special.digamma(degrees_B / 2) - np.log(degrees_B / 2)
    spread = float(logarithms_B.var()) * independent / (independent - 1)
    excess = spread - float(special.polygamma(1, degrees_B / 2).mean())
    if excess <= 1 / _MOST:
        return _MOST
    half = optimize.brentq(lambda half: special.polygamma(1, half) - excess, 1e-4, 2 * _MOST)
    return 2 * cast("float", half)


def noise_of_arms(
    means: Sequence[ArrayLike] | FloatArray,
    seeds: Sequence[Sequence[int]] | None = None,
    clean_M: NDArray[np.bool_] | None = None,
) -> SeedNoise:
    """Return the seeds' noise of single arms, or of changes against the base, moderated over arms.

    Arms that train on the same seeds may rise and fall together, which makes M variances worth
    fewer: M / (1 + (M - 1) r^2) at a correlation r, here the intraclass correlation of the two-way
    mean squares (Shrout and Fleiss, Psychological Bulletin 86, 1979, ICC(3, 1)) over the seeds that
    all arms share. Arms that share fewer than two count as fully correlated.

    Args:
        means: each arm's means over problems and samples, or its changes, one a seed.
        seeds: each arm's seeds in the same order; None where all arms have the same ones.
        clean_M: the arms that are moderated; the others keep their own variance. None for all.

    Raises:
        ValueError: an arm has fewer than two seeds, or a value is not finite.
    """
    means_M = [as_finite(one, ndim=1) for one in means]
    seeds_M = [range(len(one)) for one in means_M] if seeds is None else list(seeds)
    if not means_M or min(map(len, means_M)) < 2:
        raise ValueError("the noise of seeds needs two seeds at least")
    if [len(one) for one in means_M] != [len(one) for one in seeds_M]:
        raise ValueError("needs the seed of every mean")
    clean_M = np.ones(len(means_M), dtype=np.bool_) if clean_M is None else clean_M
    own_M = np.array([one.var(ddof=1) for one in means_M])
    degrees_M = np.array([len(one) - 1.0 for one in means_M])
    clean = np.flatnonzero(clean_M)
    if len(clean) > 1:
        correlation = _correlation([means_M[m] for m in clean], [seeds_M[m] for m in clean])
        independent = len(clean) / (1 + (len(clean) - 1) * correlation**2)
        each = moderated(own_M[clean], degrees_M[clean], independent)
        own_M[clean], degrees_M[clean] = each.variance_B, each.degrees_B
    return SeedNoise(own_M, degrees_M)


def _correlation(means_M: list[FloatArray], seeds_M: list[Sequence[int]]) -> float:
    shared = sorted(set.intersection(*map(set, seeds_M)))
    if len(shared) < 2:
        return 1.0
    rows = zip(means_M, seeds_M, strict=True)
    return _intraclass_correlation(
        np.stack([mean_S[[list(its).index(seed) for seed in shared]] for mean_S, its in rows])
    )


def _intraclass_correlation(means_MS: FloatArray) -> float:
    """Return how far arms share their seeds' effects, from 0 to 1."""
    arms = len(means_MS)
    residual_MS = means_MS - means_MS.mean(axis=1, keepdims=True)
    shared = arms * float(residual_MS.mean(axis=0).var(ddof=1))
    rest_MS = residual_MS - residual_MS.mean(axis=0)
    apart = float(np.sum(rest_MS**2)) / (arms - 1) / (means_MS.shape[1] - 1)
    total = shared + (arms - 1) * apart
    return max(0.0, (shared - apart) / total) if total > 0 else 0.0


def independent_pairs(pairs: Sequence[tuple[object, object]]) -> float:
    """Return how many independent variances those of differences between arms are worth.

    The mean of B variances that correlate by r^2 has B^2 / sum r^2 times the degrees of freedom of
    one (Satterthwaite, 1946); of arms that scatter alike, differences that share one have r = 1/2.

    Args:
        pairs: the two arms of each difference by anything that tells them apart.
    """
    indices = {arm: index for index, arm in enumerate({arm for pair in pairs for arm in pair})}
    incidence_BA = np.zeros((len(pairs), len(indices)))
    for row_A, (a, b) in zip(incidence_BA, pairs, strict=True):
        row_A[indices[a]] += 1
        row_A[indices[b]] -= 1
    differing = int(incidence_BA.any(axis=1).sum())
    correlation_AA = incidence_BA.T @ incidence_BA / 2
    return differing**2 / float(np.sum(correlation_AA**2)) if differing else 1.0
