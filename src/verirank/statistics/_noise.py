"""Where the error of a mean over seeds, problems and samples comes from, and what a t-test sees."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import cast

import numpy as np
from scipy import optimize, special

from verirank.statistics._bootstrap import CONFIDENCE
from verirank.statistics._scores import FloatArray

ALPHA = 1 - CONFIDENCE
POWER = 0.8
EQUALITY_MARGIN = 0.02
"""Scores that surely differ by less count as equal, a fraction of 1."""
_MOST_DEGREES = 1e6
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_QUANTILES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2


@dataclass(frozen=True, slots=True)
class Design:
    """How much is measured: problems, seeds, and samples a problem (infinite ones for a limit)."""

    problems: float
    seeds: float
    samples: float

    def __post_init__(self) -> None:
        """Refuse a design that measures nothing.

        Raises:
            ValueError: there are fewer than two problems, no seed, or no sample.
        """
        if not self.problems >= 2 or not self.seeds >= 1 or not self.samples > 0:
            raise ValueError(f"a design needs two problems, a seed and a sample, not {self}")


@dataclass(frozen=True, slots=True)
class Noise:
    """Variances of a value, or of a paired difference, of one seed and problem (fractions squared).

    `seed`: of its mean between seeds. `problem`: of its expectation between problems. `crossed`:
    what seeds do to single problems beyond that. `sample`: of one sample a problem; k divide it.
    `seed_degrees`: of freedom that each seed but one gives to the seeds' part, more than 1 where
    other methods tell it too (`noise_of_differences`).
    """

    seed: float
    problem: float
    crossed: float
    sample: float
    seed_degrees: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no variance.

        Raises:
            ValueError: a variance is not finite or is negative, or the degrees are not positive.
        """
        variances = (self.seed, self.problem, self.crossed, self.sample)
        if not all(0 <= one < inf for one in variances) or not self.seed_degrees > 0:
            raise ValueError(f"needs finite variances and degrees above 0, not {self}")

    def variance(self, design: Design) -> float:
        """Return the variance of the mean: V_S/S + V_P/P + (V_SP + V_K/K) / (S P).

        With one seed it is that of the mean of this one run over problems and samples: what other
        seeds would have done is no part of it.
        """
        cell = self.crossed + self.sample / design.samples
        if design.seeds == 1:
            return (self.problem + cell) / design.problems
        of_seeds = self.seed / design.seeds
        return of_seeds + self.problem / design.problems + cell / design.seeds / design.problems

    def degrees(self, design: Design) -> float:
        """Return the degrees of freedom that the test can count on (Satterthwaite, 1946).

        The expected mean squares stand in for the observed ones of `bootstrap_mean`.
        """
        if design.seeds == 1:
            return design.problems - 1
        seeds, problems = design.seeds, design.problems
        both = (self.crossed + self.sample / design.samples) / seeds / problems
        of_seeds, of_problems = self.seed / seeds + both, self.problem / problems + both
        uncertainty = of_seeds**2 / (seeds - 1) / self.seed_degrees + of_problems**2 / (
            problems - 1
        )
        uncertainty += both**2 / (seeds - 1) / (problems - 1)
        if uncertainty == 0:
            return _MOST_DEGREES
        return min(_MOST_DEGREES, self.variance(design) ** 2 / uncertainty)

    def power(self, design: Design, difference: float, alpha: float = ALPHA) -> float:
        """Return the chance that a two-sided t-test at level alpha finds a true difference.

        Raises:
            ValueError: the difference is not finite, or the level is not inside (0, 1).
        """
        check_chances(alpha)
        if not abs(difference) < inf:
            raise ValueError(f"needs a finite difference, not {difference}")
        variance = self.variance(design)
        if variance == 0:
            return 1.0 if difference else alpha
        scaled = _scaled_critical_values(self.degrees(design), alpha)
        scaled = scaled * (1 + self._excess(design) / variance) ** 0.5
        return _power_of_t(abs(difference) / variance**0.5, scaled)

    def _excess(self, design: Design) -> float:
        """Return by how much the test takes the variance too high where other methods tell it too.

        A variance above the one of all stays as it is (`moderated`): E[max(1, X)] - 1 of the seeds'
        share, X the chi-square of S - 1 degrees of freedom over these.
        """
        if design.seeds == 1 or self.seed_degrees <= 1:
            return 0.0
        half = (design.seeds - 1) / 2
        above = special.gammaincc(half + 1, half) - special.gammaincc(half, half)
        return float(above) * self.seed / design.seeds


def check_chances(*chances: float) -> None:
    """Refuse levels and powers that are not inside (0, 1) with ValueError."""
    if not all(0 < one < 1 for one in chances):
        raise ValueError(f"levels and powers must lie inside (0, 1), not {chances}")


def detectable(
    variance: float, degrees: float, alpha: float = ALPHA, power: float = POWER
) -> float:
    """Return the smallest true difference that a two-sided t-test finds with the given power.

    Args:
        variance: of the mean difference.
        degrees: of freedom of that variance.
        alpha: level of the test.
        power: the chance that it must have.

    Raises:
        ValueError: the variance is not finite or is negative, the degrees are not positive, or the
            level or the power is not inside (0, 1).
    """
    if not 0 <= variance < inf or not degrees > 0:
        raise ValueError(
            f"needs a finite variance and degrees above 0, not {variance} and {degrees}"
        )
    check_chances(alpha, power)
    if variance == 0:
        return 0.0
    highest = 20.0 + 20 * abs(float(special.stdtrit(degrees, alpha / 2)))
    scaled = _scaled_critical_values(degrees, alpha)

    def shortfall(shift: float) -> float:
        return _power_of_t(shift, scaled) - power

    return cast("float", optimize.brentq(shortfall, 0.0, highest)) * variance**0.5


def _scaled_critical_values(degrees: float, alpha: float) -> FloatArray:
    """Return c sqrt(W / df) at quantiles of the chi-square W; c is the t-test's critical value."""
    critical = -float(special.stdtrit(degrees, alpha / 2))
    return critical * np.sqrt(2 * special.gammaincinv(degrees / 2, _QUANTILES) / degrees)


def _power_of_t(shift: float, scaled: FloatArray) -> float:
    """Return the power of a t-test whose statistic is noncentral by `shift` (Cohen, 1988, 2.5).

    P(|N(shift, 1)| > c sqrt(W / df)) as an integral over the quantiles of the chi-square W, which
    holds where scipy's noncentral t fails: far shifts, and levels far below 0.05 at few degrees.
    """
    power = special.ndtr(shift - scaled) + special.ndtr(-shift - scaled)
    return float(power @ _WEIGHTS)
