"""Which differences between the arms of a finished study could not have been seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._bootstrap import variance_of_the_mean
from verirank.statistics._comparison import noise_of_a_difference
from verirank.statistics._noise import ALPHA, POWER, detectable
from verirank.statistics._scores import as_shares


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

    The variances and degrees of freedom are those of `rank_with_ties`, seeds' noise pooled.

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
    pooled = noise_of_a_difference(np.stack([s.mean(axis=1) for s in scores_SP.values()]))
    found = []
    for a, b in combinations(scores_SP, 2):
        difference_SP = scores_SP[a] - scores_SP[b]
        variance, degrees = variance_of_the_mean(difference_SP[None], pooled)
        smallest = detectable(float(variance[0]), float(degrees[0]), ALPHA / comparisons, power)
        found.append(Resolution(a, b, float(difference_SP.mean()), smallest))
    return found
