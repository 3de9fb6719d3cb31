"""What a study can resolve, before it is run: samples, seeds and problems for a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import cast

from scipy import optimize

from verirank.statistics._difficulty import Difficulty
from verirank.statistics._noise import ALPHA, POWER, Design, Noise, check_chances

MOST = 2**20
_MOST_SEEDS = 1024
_LEAST = 1e-9
"""The smallest difference that is looked for, a fraction of 1."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a plan takes for granted of methods that are compared on the same problems.

    Attributes:
        difficulty: of the problems.
        seed_sd: SD between seeds of one method's true accuracy, a fraction of 1. No published
            figure separates it from sampling noise for RLVR; 0.01 is a guess to be replaced by a
            pilot's.
        effect_sd: SD between problems of the difference's expectation, a fraction of 1; None for
            the least that any difference has, which is that of equal shifts in log-odds.
        arms: methods that are ranked together: they tell the seeds' noise together, and Holm's
            correction spans all of their pairs.
    """

    difficulty: Difficulty
    seed_sd: float = 0.01
    effect_sd: float | None = None
    arms: int = 2

    def __post_init__(self) -> None:
        """Refuse what cannot be planned.

        Raises:
            ValueError: there are fewer than two arms, or an SD is not finite or is negative.
        """
        if not self.arms >= 2:
            raise ValueError(f"a comparison needs two methods at least, not {self.arms}")
        if not all(0 <= one < inf for one in (self.seed_sd, self.effect_sd or 0.0)):
            raise ValueError(f"needs finite SDs of 0 or more, not {self}")

    @property
    def alpha(self) -> float:
        """The level of the hardest step of Holm's correction over all pairs of arms."""
        return 2 * ALPHA / self.arms / (self.arms - 1)

    def noise(self, difference: float) -> Noise:
        """Return the noise of a paired difference of that size, a fraction of 1.

        Two methods double the seeds' and the samples' variance. A seed's shift weighs on single
        problems as the difference does, by h(p) of `Difficulty.leverage_variance`.
        """
        leverage = self.difficulty.leverage_variance
        seed = 2 * self.seed_sd**2
        problem = difference**2 * leverage if self.effect_sd is None else self.effect_sd**2
        sample = 2 * self.difficulty.sample_variance
        return Noise(seed, problem, seed * leverage, sample, seed_degrees=self.arms - 1.0)

    def detectable(self, design: Design, power: float = POWER) -> float:
        """Return the smallest difference that the design finds, or infinity.

        Raises:
            ValueError: the power is not inside (0, 1).
        """
        check_chances(power)

        def shortfall(difference: float) -> float:
            return self.noise(difference).power(design, difference, self.alpha) - power

        if shortfall(_LEAST) >= 0:
            return _LEAST
        return inf if shortfall(1.0) < 0 else cast("float", optimize.brentq(shortfall, _LEAST, 1.0))


@dataclass(frozen=True, slots=True)
class Needed:
    """What finds a difference that a design does not; None where nothing of it does.

    `samples` a problem with the design's seeds, `seeds` with its samples, `problems` with both.
    """

    samples: int | None
    seeds: int | None
    problems: int | None


def needed(
    noise: Noise,
    design: Design,
    difference: float,
    alpha: float = ALPHA,
    power: float = POWER,
) -> Needed:
    """Return how many samples, seeds or problems find a difference with the given power.

    Each is the smallest number that does while the two others stay as designed. More samples only
    lessen their own noise, and more seeds all but the problems', so either can be out of reach. A
    design of one seed is about its runs, whose difference other seeds do not tell.

    Raises:
        ValueError: the difference is not finite, or the level or the power is not inside (0, 1).
    """
    check_chances(power)

    def enough(changed: Design) -> bool:
        return noise.power(changed, difference, alpha) >= power

    seeds = None
    if design.seeds > 1:
        seeds = _smallest(lambda n: enough(replace(design, seeds=n)), 2, _MOST_SEEDS)
    samples = _smallest(lambda n: enough(replace(design, samples=n)), 1, MOST)
    problems = _smallest(lambda n: enough(replace(design, problems=n)), 2, MOST)
    return Needed(samples, seeds, problems)


def _smallest(enough: Callable[[int], bool], first: int, most: int) -> int | None:
    """Return the smallest number from `first` to `most` that is enough, if any is."""
    if not enough(most):
        return None
    low, high = first - 1, first
    while high < most and not enough(high):
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
