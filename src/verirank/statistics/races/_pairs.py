"""All pairs of a race's arms, each compared on the seeds that both have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from scipy import special

from verirank.statistics._pairs import contrasts
from verirank.statistics._scores import FloatArray
from verirank.statistics._search_noise import UNSEARCHED, SearchNoise
from verirank.statistics.races._noise import noise_of_unequal_arms


class RacePairs:
    """Differences between every two arms, with their noise.

    Args:
        values: of each arm, a value a seed and problem, S x P, with at least two seeds.
        search: what the searches of learning rates add to the noise.
    """

    def __init__(self, values: Mapping[str, FloatArray], search: SearchNoise = UNSEARCHED) -> None:
        self._search = search
        arms = len(values)
        self._indices = {arm: index for index, arm in enumerate(values)}
        self._seeds_MM = np.ones((arms, arms), dtype=np.intp)
        self._mean_MM, self._variance_MM, self._of_seed_MM = np.zeros((3, arms, arms))
        self._degrees_MM = np.ones((arms, arms))
        if arms > 1:
            self._compare(list(values.values()))

    def _compare(self, values: list[FloatArray]) -> None:
        arms = list(self._indices)
        if values[0].shape[1] < 2:
            # One problem tells no other: nothing is known of any difference.
            self._variance_MM[:] = np.inf
            return
        noise = noise_of_unequal_arms([one.mean(axis=1) for one in values])
        sizes_M = np.array([len(one) for one in values])
        self._seeds_MM = np.minimum(sizes_M[:, None], sizes_M[None, :])
        for seeds in np.unique(self._seeds_MM):
            having = np.flatnonzero(sizes_M >= seeds)
            a_N, b_N = np.triu_indices(len(having), k=1)
            of_pairs = noise.of_pairs(having[a_N], having[b_N])
            values_MSP = np.stack([values[m][:seeds] for m in having])
            search_M = self._search.of([arms[m] for m in having])
            noise_N = self._search.added(of_pairs, search_M[a_N] + search_M[b_N], int(seeds))
            difference = contrasts(values_MSP, a_N, b_N, noise_N)
            for first, second, sign in ((a_N, b_N, 1), (b_N, a_N, -1)):
                # Pairs that share more seeds are overwritten by what these say.
                at = having[first], having[second]
                self._mean_MM[at] = sign * difference.mean_N
                self._variance_MM[at] = difference.variance_N
                self._degrees_MM[at] = difference.degrees_N
                self._of_seed_MM[at] = of_pairs.variance_B

    def p_behind(self, arm: str, rivals: Collection[str]) -> float:
        """Return the smallest one-sided p-value against the arm being as good as a rival."""
        return min(
            (self._p_below(arm, rival, 0.0) for rival in rivals if rival != arm), default=1.0
        )

    def p_far(self, arm: str, rivals: Collection[str], margin: float) -> float:
        """Return the largest p-value against the arm being worse than a rival by the margin."""
        against = (self._p_below(rival, arm, margin) for rival in rivals if rival != arm)
        return max(against, default=0.0)

    def _p_below(self, arm: str, other: str, shift: float) -> float:
        """Return the one-sided p-value of `arm - other >= shift`."""
        at = self._indices[arm], self._indices[other]
        distance, variance = self._mean_MM[at] - shift, self._variance_MM[at]
        if np.isinf(variance):
            return 1.0
        if variance <= 0:
            return 0.0 if distance < 0 else 1.0
        return float(special.stdtr(self._degrees_MM[at], distance / np.sqrt(variance)))

    def chance(self, leader: str, arm: str, last: int, level: float, margin: float) -> float:
        """Return the chance that `last` seeds show which of two is better, or that they are equal.

        The difference after the last seed is predicted from the one so far, without a prior:
        N(difference so far, v (1 / seeds - 1 / last)), v of one seed.

        Args:
            leader: the one arm.
            arm: the other.
            last: the number of seeds at the last look.
            level: of one test there.
            margin: arms that differ by less count as equal.
        """
        at = self._indices[leader], self._indices[arm]
        degrees, of_seed = self._degrees_MM[at], self._of_seed_MM[at]
        ahead = of_seed * max(0.0, 1 / self._seeds_MM[at] - 1 / last)
        error = np.sqrt(max(0.0, self._variance_MM[at] - ahead))
        needed = -special.stdtrit(degrees, level) * error
        bounds = np.array([-needed, needed, needed - margin, margin - needed])
        if ahead <= 0:
            distance = self._mean_MM[at]
            return float(abs(distance) > needed or abs(distance) < margin - needed)
        lower, upper, near_low, near_high = special.stdtr(
            degrees, (bounds - self._mean_MM[at]) / np.sqrt(ahead)
        )
        return float(lower + 1 - upper + max(0.0, near_high - near_low))
