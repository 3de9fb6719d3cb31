"""Which differences between the arms of a finished study could not have been seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._bootstrap import variance_of_the_mean
from verirank.statistics._noise import ALPHA, POWER, detectable
from verirank.statistics._scores import as_shares
from verirank.statistics._seed_noise import noise_of_differences


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a study could see between two arms, in shares of 1.

    `difference` is a's mean less b's, `detectable` the smallest true difference that the study
    finds with the stated power. With one seed both are about these runs, not about the methods.
    """

    a: str
    b: str
    difference: float
    detectable: float

    @property
    def too_small_to_see(self) -> bool:
        """Whether a true difference of the observed size would more likely than not go unseen."""
        return abs(self.difference) < self.detectable


def resolutions(
    correct_SPK: Mapping[str, ArrayLike], comparisons: int = 1, power: float = POWER
) -> list[Resolution]:
    """Return the smallest detectable difference of every pair, given the observed variances.

    The variances and degrees of freedom are those of `rank_with_ties`.

    Args:
        correct_SPK: per arm, whether each sample is right, or its values of `macro_average`; all
            on the same seeds and problems.
        comparisons: the number of tests that Holm's correction spans; its hardest step counts,
            which tests at alpha / comparisons.
        power: the chance of finding it.

    Raises:
        ValueError: an array is none that `as_shares` takes, or seeds or problems differ.
    """
    scores_SP = {name: as_shares(c) for name, c in correct_SPK.items()}
    if len({scores.shape for scores in scores_SP.values()}) != 1:
        raise ValueError("needs the same seeds and problems for every arm, and an arm")
    values_MSP = np.stack(list(scores_SP.values()))
    first_N, second_N = np.triu_indices(len(values_MSP), k=1)
    differences_NSP = values_MSP[first_N] - values_MSP[second_N]
    noise = noise_of_differences(values_MSP.mean(axis=2), first_N, second_N)
    variance_N, degrees_N = variance_of_the_mean(differences_NSP, noise)
    mean_N = differences_NSP.mean(axis=(1, 2))
    return [
        Resolution(a, b, difference, detectable(variance, degrees, ALPHA / comparisons, power))
        for (a, b), difference, variance, degrees in zip(
            combinations(scores_SP, 2),
            *(numbers_N.tolist() for numbers_N in (mean_N, variance_N, degrees_N)),
            strict=True,
        )
    ]
