"""Differences between two arms on the same seeds and problems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._bootstrap import (
    Interval,
    bootstrap_mean,
    bootstrap_means,
    own_noise,
)
from verirank.statistics._scores import accuracies
from verirank.statistics._seed_noise import (
    SeedNoise,
    independent_pairs,
    moderated,
)


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
        Mean of a minus mean of b, a fraction of 1, with interval and two-sided p-value.

    Raises:
        ValueError: an array is none that `accuracies` takes, or seeds or problems differ.
    """
    a_SP = accuracies(a_SPK)
    b_SP = accuracies(b_SPK)
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
        ValueError: an array is none that `accuracies` takes, or seeds or problems differ.
    """
    scores = [[accuracies(one) for one in pair] for pair in pairs]
    if len({score.shape for pair in scores for score in pair}) != 1:
        raise ValueError("pairs need the same seeds and problems, and there must be one")
    differences_BSP = np.stack([a_SP - b_SP for a_SP, b_SP in scores])
    noise = own_noise(differences_BSP)
    if noise is not None:
        independent = independent_pairs([(a_SP.tobytes(), b_SP.tobytes()) for a_SP, b_SP in scores])
        noise = moderated(noise.variance_B, noise.degrees_B, independent)
    intervals = bootstrap_means(differences_BSP, generator, noise)
    return [difference.within(-1.0, 1.0) for difference in intervals]
