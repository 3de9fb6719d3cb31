"""The variance between learning-rate searches: how far another search would move an arm's mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from verirank.statistics._scores import FloatArray
from verirank.statistics._seed_noise import SeedNoise


@dataclass(frozen=True, slots=True)
class SearchNoise:
    """What the luck of its search adds to the variance of each arm's mean, fractions of 1 squared.

    Attributes:
        variance: by arm; an arm that is not named was not searched.
        degrees: of freedom of each.
    """

    variance: Mapping[str, float]
    degrees: float

    def __post_init__(self) -> None:
        """Refuse what is no variance.

        Raises:
            ValueError: a variance is not finite or is negative, or the degrees are not positive.
        """
        for arm, variance in self.variance.items():
            if not 0 <= variance < inf:
                raise ValueError(f"the search of {arm} needs a finite variance, not {variance}")
        if not self.degrees >= 0 or (self.degrees == 0 and any(self.variance.values())):
            raise ValueError(f"the noise of searches needs degrees above 0, not {self.degrees}")

    @classmethod
    def pooled(cls, own: Mapping[str, float | None], degrees: float) -> SearchNoise:
        """Return the noise of searches that were estimated each for itself.

        One search hardly tells its own: by chance its scores may leave no doubt. So none counts
        less than the mean of all, and one without an estimate counts as the mean. Without any
        estimate nothing is known, and no arm counts as searched.

        Args:
            own: by arm `FinalScores.search_variance`; None where a single rate came to the end.
            degrees: of freedom of one estimate, that of its search's seeds.
        """
        known = [one for one in own.values() if one is not None]
        if not known:
            return UNSEARCHED
        mean = float(np.mean(known))
        return cls({arm: max(one or 0.0, mean) for arm, one in own.items()}, degrees * len(own))

    def of(self, arms: Sequence[str]) -> FloatArray:
        """Return the variance of some arms, 0 of those that were not searched."""
        return np.array([self.variance.get(arm, 0.0) for arm in arms])

    def added(
        self, noise: SeedNoise | None, variance_B: FloatArray, seeds: int | NDArray[np.intp]
    ) -> SeedNoise | None:
        """Return noise of seeds that holds the noise of searches, too.

        What a search does to a mean is the same for all its S seeds, so in the variance of one seed
        it counts S times. Degrees of freedom are Satterthwaite's (1946).

        Args:
            noise: of the seeds alone; None stays None, for one seed is about these runs only.
            variance_B: of the search in each mean: in a difference, the sum of both arms'.
            seeds: S, of each mean or of all.
        """
        if noise is None or not variance_B.any():
            return noise
        of_search_B = seeds * variance_B
        total_B = noise.variance_B + of_search_B
        uncertainty_B = noise.variance_B**2 / noise.degrees_B + of_search_B**2 / self.degrees
        degrees_B = noise.degrees_B.copy()
        np.divide(total_B**2, uncertainty_B, out=degrees_B, where=uncertainty_B > 0)
        return SeedNoise(total_B, degrees_B, variance_B)


UNSEARCHED = SearchNoise({}, 1.0)
"""Of arms whose learning rates were set."""
