"""Where the error of a mean over seeds, problems and samples comes from, and what a t-test sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from verirank.statistics._bootstrap import CONFIDENCE
from verirank.statistics._root import root_of
from verirank.statistics._scores import BoolArray, FloatArray
from verirank.statistics._seed_noise import SeedNoise

ALPHA = 1 - CONFIDENCE
POWER = 0.8
_MOST_DEGREES = 1e6
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_QUANTILES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2


@dataclass(frozen=True, slots=True)
class Design:
    """How much is measured: problems, seeds, and samples a problem (infinite ones for a limit)."""

    problems: float
    seeds: float
    samples: float


@dataclass(frozen=True, slots=True)
class Noise:
    """Variances of a value, or of a paired difference, of one seed and problem (shares squared).

    `seed`: of its mean between seeds. `problem`: of its expectation between problems. `crossed`:
    what seeds do to single problems beyond that. `sample`: of one sample a problem; k divide it.
    `seed_degrees`: of freedom that each seed but one gives to the seeds' share, more than 1 where
    other methods tell it too.
    """

    seed: float
    problem: float
    crossed: float
    sample: float
    seed_degrees: float = 1.0

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
        """Return the chance that a two-sided t-test at level alpha finds a true difference."""
        error = self.variance(design) ** 0.5
        if error == 0:
            return 1.0 if difference else alpha
        scaled = _scaled_critical_values(self.degrees(design), alpha)
        return _power_of_t(abs(difference) / error, scaled)


def detectable(
    variance: float, degrees: float, alpha: float = ALPHA, power: float = POWER
) -> float:
    """Return the smallest true difference that a two-sided t-test finds with the given power.

    Args:
        variance: of the mean difference.
        degrees: of freedom of that variance.
        alpha: level of the test.
        power: the chance that it must have.
    """
    if variance == 0:
        return 0.0
    highest = 20.0 + 20 * abs(float(special.stdtrit(degrees, alpha / 2)))
    scaled = _scaled_critical_values(degrees, alpha)

    def shortfall(shift: float) -> float:
        return _power_of_t(shift, scaled) - power

    return root_of(shortfall, 0.0, highest) * variance**0.5


def _scaled_critical_values(degrees: float, alpha: float) -> FloatArray:
    """Return c sqrt(W / df) at quantiles of the chi-square W; c is the t-test's critical value."""
    critical = -float(special.stdtrit(degrees, alpha / 2))
    return critical * np.sqrt(2 * special.gammaincinv(degrees / 2, _QUANTILES) / degrees)


def _power_of_t(shift: float, scaled: FloatArray) -> float:
    """Return the power of a t-test whose statistic is noncentral by `shift` (Cohen, 1988, 2.5).

    P(|N(shift, 1)| > c sqrt(W / df)) as an integral over the quantiles of the chi-square W, which
    holds where scipy's noncentral t fails: far shifts, and levels far below 0.05 at few degrees.
    """
    found = special.ndtr(shift - scaled) + special.ndtr(-shift - scaled)
    return float(found @ _WEIGHTS)


def observed_noise(
    values_SP: FloatArray,
    sample_variance: float,
    samples: int,
    of_seeds: SeedNoise | None = None,
) -> Noise:
    """Return the noise that a study shows, from its two-way mean squares.

    Variance components are the method of moments (Searle, Casella and McCulloch, Variance
    Components, 1992, sec. 4.4), none below 0. With one seed the seeds' share is unknown (0 here),
    and what a seed does to a problem cannot be told from the problem.

    Args:
        values_SP: the mean over samples of each seed and problem, or a difference of two.
        sample_variance: of one sample of a value, as `variance_of_a_sample` has it.
        samples: the number of samples behind each value.
        of_seeds: the seeds' noise as more methods tell it; None for that of these values.
    """
    seeds, problems = values_SP.shape
    by_problem = float(values_SP.mean(axis=0).var(ddof=1))
    if seeds == 1:
        return Noise(0.0, max(0.0, by_problem - sample_variance / samples), 0.0, sample_variance)
    effects_S1 = values_SP.mean(axis=1, keepdims=True) - values_SP.mean()
    residual_SP = values_SP - values_SP.mean(axis=0) - effects_S1
    cell = float(np.sum(residual_SP**2)) / (seeds - 1) / (problems - 1)
    if of_seeds is None:
        of_seeds = SeedNoise(effects_S1.var(axis=0, ddof=1), np.array([seeds - 1.0]))
    return Noise(
        seed=max(0.0, float(of_seeds.variance_B[0]) - cell / problems),
        problem=max(0.0, by_problem - cell / seeds),
        crossed=max(0.0, cell - sample_variance / samples),
        sample=min(sample_variance, cell * samples),
        seed_degrees=float(of_seeds.degrees_B[0]) / (seeds - 1),
    )


def variance_of_a_sample(values_SPK: BoolArray | FloatArray) -> float:
    """Return the unbiased variance of a problem's samples, its mean over seeds and problems.

    One sample a problem cannot tell sampling noise from the problems' difficulty, so all of it is
    counted as sampling noise there, which is the most that more samples could take away.
    """
    if values_SPK.shape[2] == 1:
        return float(values_SPK.var())
    return float(values_SPK.var(axis=2, ddof=1).mean())
