"""Which methods differ on the same problems, and the ranking that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._bootstrap import (
    CONFIDENCE,
    Interval,
    bootstrap_mean,
    bootstrap_means,
    own_noise,
)
from verirank.statistics._pairs import p_of_pairs
from verirank.statistics._scores import FloatArray, as_shares
from verirank.statistics._seed_noise import (
    SeedNoise,
    independent_pairs,
    moderated,
    noise_of_differences,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A method's place: 1 + the number of methods that are significantly better.

    Equal ranks are ties; a rank is never better than that of a method with a higher mean.
    `tied_with_next` tells that the method of the next lower mean cannot be
    told from this one.
    """

    method: str
    mean: float
    rank: int
    tied_with_leader: bool
    tied_with_next: bool


def paired_difference(
    a_SPK: ArrayLike,
    b_SPK: ArrayLike,
    generator: np.random.Generator,
    noise: SeedNoise | None = None,
) -> Interval:
    """Return the difference in Avg@k of a over b on the same seeds and problems.

    Args:
        a_SPK: whether each sample of the one method is right, or its values of `macro_average`.
        b_SPK: the other method's, with the same seeds and problems; it may have another K.
        generator: the source of the resamples.
        noise: the seeds', as more methods than these two tell it; None for that of these two.

    Returns:
        Mean of a minus mean of b, a share of 1, with interval and two-sided p-value.

    Raises:
        ValueError: an array is none that `as_shares` takes, or seeds or problems differ.
    """
    a_SP = as_shares(a_SPK)
    b_SP = as_shares(b_SPK)
    if a_SP.shape != b_SP.shape:
        raise ValueError(f"pairs need the same seeds and problems: {a_SP.shape} and {b_SP.shape}")
    return bootstrap_mean(a_SP - b_SP, generator, noise).within(-1.0, 1.0)


def paired_differences(
    pairs: Sequence[tuple[ArrayLike, ArrayLike]], generator: np.random.Generator
) -> list[Interval]:
    """Return `paired_difference` of every pair on the same resamples, the seeds' noise moderated.

    Two or three seeds of one pair hardly tell how far a seed moves a difference; all pairs together
    do, as `moderated` has it. Arms that are equal in all their values count as one.

    Args:
        pairs: each as in `paired_difference`; all have the same number of seeds and of problems.
        generator: the source of the resamples.

    Raises:
        ValueError: an array is none that `as_shares` takes, or seeds or problems differ.
    """
    scores = [[as_shares(one) for one in pair] for pair in pairs]
    if len({score.shape for pair in scores for score in pair}) != 1:
        raise ValueError("pairs need the same seeds and problems, and there must be one")
    differences_BSP = np.stack([a_SP - b_SP for a_SP, b_SP in scores])
    noise = own_noise(differences_BSP)
    if noise is not None:
        independent = independent_pairs([(a_SP.tobytes(), b_SP.tobytes()) for a_SP, b_SP in scores])
        noise = moderated(noise.variance_B, differences_BSP.shape[1] - 1, independent)
    found = bootstrap_means(differences_BSP, generator, noise)
    return [difference.within(-1.0, 1.0) for difference in found]


def holm(p_values: ArrayLike) -> FloatArray:
    """Return Holm's adjusted p-values (Scandinavian Journal of Statistics 6, 1979), in order.

    Rejecting where an adjusted value is at most alpha keeps the chance of any false rejection
    among all the tests at or below alpha.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def rank_with_ties(
    correct_SPK: Mapping[str, ArrayLike], generator: np.random.Generator
) -> list[Standing]:
    """Return the methods from best to worst mean, with ranks that show ties as ties.

    Every pair is compared on the same seeds and problems; two methods are told apart where the
    p-value of their difference, corrected by Holm over all pairs, is at most 1 - confidence. All
    pairs are resampled alike; of more than 100 methods they are compared by t-test instead. The
    seeds' noise is that of `noise_of_differences`.

    Args:
        correct_SPK: per method, whether each sample is right, or its values of `macro_average`.
        generator: the source of the resamples.

    Returns:
        One standing a method, best mean first.

    Raises:
        ValueError: an array is none that `as_shares` takes, or seeds or problems differ.
    """
    scores_SP = {name: as_shares(c) for name, c in correct_SPK.items()}
    if len({scores.shape for scores in scores_SP.values()}) != 1:
        raise ValueError(
            "a ranking needs the same seeds and problems for every method, and a method"
        )
    order = sorted(scores_SP, key=lambda name: -scores_SP[name].mean())
    values_MSP = np.stack([scores_SP[name] for name in order])
    first, second = np.triu_indices(len(order), k=1)
    noise = noise_of_differences(values_MSP.mean(axis=2), first, second)
    apart_MM = np.zeros((len(order), len(order)), dtype=np.bool_)
    p_values = p_of_pairs(values_MSP, first, second, generator, noise)
    apart_MM[first, second] = holm(p_values) <= 1 - CONFIDENCE
    rank_M = 1 + np.maximum.accumulate(apart_MM.sum(axis=0))
    return [
        Standing(
            method=name,
            mean=float(values_MSP[place].mean()),
            rank=int(rank_M[place]),
            tied_with_leader=not apart_MM[0, place],
            tied_with_next=place + 1 < len(order) and not apart_MM[place, place + 1],
        )
        for place, name in enumerate(order)
    ]
