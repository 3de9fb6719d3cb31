"""What a bench can resolve at some number of seeds, and the accuracy to assume on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from verirank.statistics._noise import Design
from verirank.statistics._power import Assumptions, Needed, needed

_ACCURACIES = {
    "aime24": 0.2854,
    "aime25": 0.2271,
    "amc23": 0.6258,
    "math-500": 0.8290,
    "minerva": 0.2638,
}
"""Of DeepSeek-R1-Distill-Qwen-1.5B (arXiv:2505.24864, table 1)."""
_NOISIEST = 0.5


def usual_accuracy(bench: str) -> float:
    """Return the accuracy to assume on a bench, a fraction of 1.

    It is the published one of DeepSeek-R1-Distill-Qwen-1.5B, or the noisiest, where that table has
    no figure.
    """
    return _ACCURACIES.get(bench, _NOISIEST)


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a design can resolve; differences are fractions of 1, and infinite where none is found.

    Attributes:
        power: to find the difference that was asked for.
        detectable: the smallest difference that is found with 80 % power.
        detectable_at_any_samples: the same with as many samples a problem as one likes.
        needed: samples, seeds or problems that find the difference with 80 % power.
    """

    power: float
    detectable: float
    detectable_at_any_samples: float
    needed: Needed


def prospect(assumed: Assumptions, design: Design, difference: float) -> Prospect:
    """Return what a design can resolve of a difference, a fraction of 1.

    Args:
        assumed: of the methods and their number.
        design: problems, seeds and samples a problem.
        difference: to be found.
    """
    noise = assumed.noise(difference)
    return Prospect(
        noise.power(design, difference, assumed.alpha),
        assumed.detectable(design),
        assumed.detectable(replace(design, samples=inf)),
        needed(noise, design, difference, assumed.alpha),
    )
