"""How far a mean over seeds and problems may be from the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from verirank.statistics._scores import FloatArray, as_correct

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the interval that covers the true one at the stated confidence.

    `over` names what was left to chance: with one seed that is problems and samples only, so the
    interval says nothing of how another training seed would have done. `p` is the two-sided p-value
    of a true mean of 0; at the interval's confidence both give the same verdict.
    """

    mean: float
    low: float
    high: float
    p: float
    over: tuple[str, ...]

    def within(self, lowest: float, highest: float) -> Interval:
        """Return the interval without the values that the quantity cannot have."""
        return replace(self, low=max(self.low, lowest), high=min(self.high, highest))


@dataclass(frozen=True, slots=True)
class SeedNoise:
    """The variance that seeds give to a mean over them, and its degrees of freedom."""

    variance: float
    degrees: int


def bootstrap_accuracy(correct_SPK: ArrayLike, generator: np.random.Generator) -> Interval:
    """Return Avg@k over S seeds, P problems and K samples, with its interval.

    Args:
        correct_SPK: whether each sample is right; a missing or failed one is a wrong one.
        generator: the source of the resamples.

    Returns:
        A share of 1 and its interval.

    Raises:
        ValueError: the array is not boolean or not S x P x K, or there is only one problem.
    """
    scores_SP = as_correct(correct_SPK, ndim=3).mean(axis=2)
    return bootstrap_mean(scores_SP, generator).within(0.0, 1.0)


def bootstrap_mean(
    values_SP: ArrayLike,
    generator: np.random.Generator,
    pooled: SeedNoise | None = None,
) -> Interval:
    """Return the mean of values that every seed has for the same problems, with its interval.

    Seeds and problems are resampled, each problem with all its samples: its mean already carries
    their noise, and drawing them again would count it twice (Davison and Hinkley, Bootstrap Methods
    and their Application, 1997, sec. 3.8). Resampled means are of the seeds' and the problems'
    effects, scaled to the two-way variance V_S + V_P - V_SP (Cameron, Gelbach and Miller, 2011,
    sec. 2), and percentiles are widened by t / z for the few seeds or problems there are.

    Args:
        values_SP: one value a seed and problem, such as the mean over its samples; with one seed
            the interval is over problems and samples only.
        generator: the source of the resamples.
        pooled: the seeds' noise as estimated from more runs than these, used unless these runs' own
            is significantly larger: two or three seeds alone hardly tell it.

    Returns:
        The mean, its interval, and the p-value of a true mean of 0.

    Raises:
        ValueError: not S x P, fewer than two problems, or a value is not finite.
    """
    values_SP = np.asarray(values_SP, dtype=np.float64)
    if values_SP.ndim != 2 or values_SP.shape[0] < 1 or values_SP.shape[1] < 2:
        raise ValueError(f"expected seeds x problems (at least 1 x 2), not {values_SP.shape}")
    if not np.isfinite(values_SP).all():
        raise ValueError("a value is not finite: score a missing or failed sample as wrong")
    mean = float(values_SP.mean())
    over = ("problems", "samples") if len(values_SP) == 1 else ("seeds", "problems", "samples")
    variance, degrees = _variance_of_the_mean(values_SP, pooled)
    if variance == 0:
        return Interval(mean, mean, mean, 1.0 if mean == 0 else 0.0, over)
    offsets_R = _resampled_offsets(values_SP, generator)
    offsets_R *= np.sqrt(variance / offsets_R.var())

    tail = (1 - CONFIDENCE) / 2
    widening = special.stdtrit(degrees, tail) / special.ndtri(tail)
    below, above = widening * np.quantile(offsets_R, [tail, 1 - tail])
    towards_zero = below if mean > 0 else above
    t = mean / towards_zero * special.stdtrit(degrees, tail)
    p = min(1.0, 2 * float(special.stdtr(degrees, -abs(t))))
    return Interval(mean, float(mean + below), float(mean + above), p, over)


def _effects(values_SP: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = values_SP.mean()
    return values_SP.mean(axis=1) - mean, values_SP.mean(axis=0) - mean


def _variance_of_the_mean(values_SP: FloatArray, pooled: SeedNoise | None) -> tuple[float, float]:
    """Return the variance of the mean and its degrees of freedom (Satterthwaite, 1946)."""
    seeds, problems = values_SP.shape
    effects_S, effects_P = _effects(values_SP)
    of_problems = float(np.sum(effects_P**2)) / problems / (problems - 1)
    if seeds == 1:
        return of_problems, problems - 1
    of_seeds = _seed_noise(effects_S, pooled)
    residual_SP = values_SP - values_SP.mean() - effects_S[:, None] - effects_P
    crossed = (seeds - 1) * (problems - 1)
    of_both = float(np.sum(residual_SP**2)) / crossed / values_SP.size
    # The difference can fall short by chance, but the mean varies at least as much as one factor.
    variance = max(of_seeds.variance, of_problems, of_seeds.variance + of_problems - of_both)
    uncertainty = (
        of_seeds.variance**2 / of_seeds.degrees
        + of_problems**2 / (problems - 1)
        + of_both**2 / crossed
    )
    return variance, variance**2 / uncertainty if uncertainty else crossed


def _seed_noise(effects_S: FloatArray, pooled: SeedNoise | None) -> SeedNoise:
    seeds = len(effects_S)
    own = SeedNoise(float(np.sum(effects_S**2)) / seeds / (seeds - 1), seeds - 1)
    if pooled is None:
        return own
    significant = pooled.variance * special.fdtri(own.degrees, pooled.degrees, CONFIDENCE)
    return own if own.variance > significant else pooled


def _resampled_offsets(values_SP: FloatArray, generator: np.random.Generator) -> FloatArray:
    offsets_R = np.zeros(RESAMPLES)
    for effects in _effects(values_SP):
        drawn = generator.integers(len(effects), size=(RESAMPLES, len(effects)))
        offsets_R += effects[drawn].mean(axis=1)
    return offsets_R
