"""What the arms of a bench have in common: seeds, and one estimate of how far seeds move them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verirank.report._arms import Arm
from verirank.statistics import SeedNoise, noise_of_differences

_Means = tuple[dict[str, int], NDArray[np.float64]]
"""Each arm's place by its label, and the arms' means, M x S."""


@dataclass(frozen=True)
class Pairing:
    """The arms of a bench, any two of which are held against each other with the same noise.

    Whatever compares two of them, a rank, an interval or a verdict, has the seeds' noise of the
    ranking: that of all arms that were trained on the seeds which these two share.
    """

    arms: Sequence[Arm]
    bench: str
    _known: dict[tuple[int, ...], _Means] = field(default_factory=dict)

    def shared(self, a: Arm, b: Arm) -> tuple[int, ...]:
        """Return the seeds that both were trained on, in order."""
        return tuple(sorted(set(a.seeds) & set(b.seeds)))

    def noise(self, pairs: Sequence[tuple[Arm, Arm]], seeds: tuple[int, ...]) -> SeedNoise | None:
        """Return the seeds' noise of the differences of pairs that share some seeds."""
        if seeds not in self._known:
            having = [arm for arm in self.arms if set(seeds) <= set(arm.seeds)]
            places = {arm.label: place for place, arm in enumerate(having)}
            means = [a.shares(self.bench, seeds=seeds).mean(axis=1) for a in having]
            self._known[seeds] = places, np.stack(means)
        places, means_MS = self._known[seeds]
        first, second = (np.array([places[pair[side].label] for pair in pairs]) for side in (0, 1))
        return noise_of_differences(means_MS, first, second)
