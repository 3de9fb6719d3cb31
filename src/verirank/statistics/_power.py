"""What a study can resolve, before it is run: samples, seeds and problems for a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from verirank.statistics._difficulty import Difficulty
from verirank.statistics._noise import ALPHA, POWER, Design, Noise
from verirank.statistics._root import root_of

MOST = 2**20
_MOST_SEEDS = 1024


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a plan takes for granted of two methods that are compared on the same problems.

    Attributes:
        difficulty: of the problems.
        seed_sd: SD between seeds of one method's true accuracy, a share of 1. No published figure
            separates it from sampling noise for RLVR; 0.01 is a guess to be replaced by a pilot's.
        effect_sd: SD between problems of the difference's expectation, a share of 1; None for the
            least that any difference has, which is that of equal shifts in log-odds.
    """

    difficulty: Difficulty
    seed_sd: float = 0.01
    effect_sd: float | None = None

    def noise(self, difference: float) -> Noise:
        """Return the noise of a paired difference of that size, a share of 1.

        Two methods double the seeds' and the samples' variance. A seed's shift weighs on single
        problems as the difference does, by h(p) of `Difficulty.leverage_variance`.
        """
        leverage = self.difficulty.leverage_variance
        seed = 2 * self.seed_sd**2
        problem = difference**2 * leverage if self.effect_sd is None else self.effect_sd**2
        return Noise(seed, problem, seed * leverage, 2 * self.difficulty.sample_variance)

    def detectable(self, design: Design, alpha: float = ALPHA, power: float = POWER) -> float:
        """Return the smallest difference that the design finds, or infinity."""

        def shortfall(difference: float) -> float:
            return self.noise(difference).power(design, difference, alpha) - power

        return inf if shortfall(1.0) < 0 else root_of(shortfall, 1e-9, 1.0)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would resolve a difference that a design does not; None where nothing of it does.

    `samples` a problem with the design's seeds, `seeds` with its samples, `problems` with both.
    """

    design: Design
    samples: int | None
    seeds: int | None
    problems: int | None

    @property
    def sentence(self) -> str:
        """What to do, in words."""
        parts = [self._of_samples(), self._of_seeds()]
        if not self.samples and not self.seeds and self.problems:
            parts.append(f"{self.problems:,} problems would do")
        return "; ".join(parts)

    def _of_samples(self) -> str:
        seeds = f"{self.design.seeds:g} seed{'s' * (self.design.seeds != 1)}"
        if self.samples:
            samples = f"{self.samples:,} sample{'s' * (self.samples != 1)}"
            return f"{samples} a problem would do with {seeds}"
        return f"more samples a problem would not do with {seeds}"

    def _of_seeds(self) -> str:
        samples = f"{self.design.samples:g} sample{'s' * (self.design.samples != 1)} a problem"
        if self.design.seeds == 1:
            return "one seed speaks for these runs only, not for the methods"
        if self.seeds:
            return f"{self.seeds:,} seeds would do with {samples}"
        return f"more seeds would not do with {samples} on {self.design.problems:g} problems"


def remedy(
    noise: Noise,
    design: Design,
    difference: float,
    alpha: float = ALPHA,
    power: float = POWER,
) -> Remedy:
    """Return how many samples, seeds or problems find a difference with the given power.

    Each is the smallest number that does while the two others stay as designed. More samples only
    lessen their own noise, and more seeds all but the problems', so either can be out of reach. A
    design of one seed is about its runs, whose difference other seeds do not tell.
    """

    def enough(changed: Design) -> bool:
        return noise.power(changed, difference, alpha) >= power

    seeds = None
    if design.seeds > 1:
        seeds = _smallest(lambda n: enough(replace(design, seeds=n)), 2, _MOST_SEEDS)
    samples = _smallest(lambda n: enough(replace(design, samples=n)), 1, MOST)
    problems = _smallest(lambda n: enough(replace(design, problems=n)), 2, MOST)
    return Remedy(design, samples, seeds, problems)


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
