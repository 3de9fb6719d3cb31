"""What a study says to a claim: supported, contradicted, or not resolvable, and what would do."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, log1p
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._bootstrap import Interval, bootstrap_means, own_noise, varied
from verirank.statistics._noise import ALPHA, Design, observed_noise, variance_of_a_sample
from verirank.statistics._power import Remedy, remedy
from verirank.statistics._scores import (
    BoolArray,
    FloatArray,
    as_correct,
    as_samples,
    as_shares,
    shares_right,
)
from verirank.statistics._seed_noise import SeedNoise

Outcome = Literal["supported", "contradicted", "not_resolvable"]
Subject = Literal["methods", "runs"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement on an effect, in shares of 1.

    `above`: the effect is more than the bound ("A beats B by more than 0"). `below`: it is less
    ("A is under the floor"). `within`: it lies between -bound and +bound ("A equals B").
    """

    relation: Literal["above", "below", "within"]
    bound: float

    def __post_init__(self) -> None:
        """Refuse an empty claim.

        Raises:
            ValueError: the bound of `within` is not positive.
        """
        if self.relation == "within" and not self.bound > 0:
            raise ValueError(f"equality needs a margin above 0, not {self.bound}")

    @property
    def boundaries(self) -> tuple[float, ...]:
        """The effects at which the claim turns from true to false."""
        return (-self.bound, self.bound) if self.relation == "within" else (self.bound,)

    def judge(self, low: float, high: float) -> Outcome:
        """Return what an interval of the effect says: true of all of it, of none, or neither.

        Equality is two one-sided tests (Schuirmann, Journal of Pharmacokinetics and
        Biopharmaceutics 15, 1987). With a 95 % interval each side errs at most 2.5 times in 100.
        """
        if self.relation == "within":
            true, false = (
                -self.bound < low and high < self.bound,
                (low > self.bound or high < -self.bound),
            )
        else:
            above, below = low > self.bound, high < self.bound
            true, false = (above, below) if self.relation == "above" else (below, above)
        return "supported" if true else "contradicted" if false else "not_resolvable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a study says to a claim.

    `interval` is that of the effect; None where the study supports none, which is a claim on the
    methods from one seed. `p` is two-sided against the claim's boundary (the larger of equality's
    two), for Holm's correction over several claims. `remedy` is what would resolve the claim at the
    hardest step of that correction if the effect is as observed; None where that step resolves it,
    where the seeds' noise is unknown, or for an average over benches.
    """

    outcome: Outcome
    effect: float
    interval: Interval | None
    p: float | None
    remedy: Remedy | None
    reason: str


def judge_difference(
    claim: Claim,
    a_SPK: ArrayLike,
    b_SPK: ArrayLike,
    generator: np.random.Generator,
    about: Subject = "methods",
    *,
    noise: SeedNoise | None = None,
    tests: int = 1,
) -> Verdict:
    """Return the verdict on a claim about Avg@k of a minus that of b, seeds and problems paired.

    Args:
        claim: in shares of 1.
        a_SPK: whether each sample of the one method is right, a missing or failed one being wrong;
            or its values of `macro_average`.
        b_SPK: the other method's, on the same seeds and problems; it may have another K.
        generator: the source of the resamples.
        about: the methods, whatever the seed, or only the runs at hand.
        noise: the seeds', as more methods than these two tell it; None for that of these two.
        tests: the number of claims that a correction will span; the outcome is of this one alone.

    Raises:
        ValueError: an array is not boolean or not S x P x K, or seeds or problems differ.
    """
    a, b = as_samples(a_SPK), as_samples(b_SPK)
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"pairs need the same seeds and problems: {a.shape[:2]} and {b.shape[:2]}")
    values_SP, measured = as_shares(a) - as_shares(b), _Measured.of(a, b)
    if about == "runs":
        noise = None
    return _verdict(
        claim, values_SP, measured, (-1.0, 1.0), generator, about, noise=noise, tests=tests
    )


def judge_runs(
    claim: Claim, a_SPK: ArrayLike, b_SPK: ArrayLike, generator: np.random.Generator
) -> list[tuple[Outcome, Interval]]:
    """Return for each of S runs what it says of itself, as `judge_difference` about that run alone.

    Arguments and errors are those of `judge_difference`; all runs are judged on the same resamples.
    """
    a, b = as_correct(a_SPK, ndim=3), as_correct(b_SPK, ndim=3)
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"pairs need the same seeds and problems: {a.shape[:2]} and {b.shape[:2]}")
    values_S1P = (shares_right(a) - shares_right(b))[:, None]
    found = []
    for values_1P, interval in zip(values_S1P, bootstrap_means(values_S1P, generator), strict=True):
        if np.ptp(values_1P) == 0:
            interval, _ = _interval_without_variance(claim, values_1P, (-1.0, 1.0))
        bounded = interval.within(-1.0, 1.0)
        found.append((claim.judge(bounded.low, bounded.high), bounded))
    return found


def judge_accuracy(
    claim: Claim,
    correct_SPK: ArrayLike,
    generator: np.random.Generator,
    about: Subject = "methods",
) -> Verdict:
    """Return the verdict on a claim about a method's own Avg@k, such as one on a floor.

    Arguments and errors are those of `judge_difference`.
    """
    correct = as_correct(correct_SPK, ndim=3)
    values_SP = shares_right(correct)
    return _verdict(claim, values_SP, _Measured.of(correct), (0.0, 1.0), generator, about)


@dataclass(frozen=True, slots=True)
class _Measured:
    """The design of a study and the variance of one sample of its value."""

    design: Design
    sample_variance: float

    @classmethod
    def of(cls, *arms_SPK: BoolArray | FloatArray) -> _Measured:
        seeds, problems, _ = arms_SPK[0].shape
        samples = min(arm.shape[2] for arm in arms_SPK)
        variances = (variance_of_a_sample(arm) * samples / arm.shape[2] for arm in arms_SPK)
        return cls(Design(problems, seeds, samples), sum(variances))


def _verdict(
    claim: Claim,
    values_SP: FloatArray,
    measured: _Measured,
    limits: tuple[float, float],
    generator: np.random.Generator,
    about: Subject,
    *,
    noise: SeedNoise | None = None,
    tests: int = 1,
) -> Verdict:
    effect = float(values_SP.mean())
    if about == "methods" and len(values_SP) == 1:
        reason = "one seed says nothing of other seeds: train at least two more"
        return Verdict("not_resolvable", effect, None, None, None, reason)
    # About the runs at hand, their seeds are no sample of anything: only problems are.
    kept_SP = values_SP if about == "methods" else values_SP.mean(axis=0, keepdims=True)
    interval, p = _interval(claim, kept_SP, limits, generator, noise)
    outcome = claim.judge(interval.low, interval.high)
    would = None
    if outcome == "not_resolvable" or p > ALPHA / tests:
        would = _remedy(claim, kept_SP, measured, limits, noise, ALPHA / tests)
    if outcome == "not_resolvable" and would is not None:
        return Verdict(outcome, effect, interval, p, would, would.sentence)
    return Verdict(outcome, effect, interval, p, would, f"the interval makes it {outcome}")


def _interval(
    claim: Claim,
    values_SP: FloatArray,
    limits: tuple[float, float],
    generator: np.random.Generator,
    noise: SeedNoise | None,
) -> tuple[Interval, float]:
    """Return the effect's interval, and the largest p-value of the claim's boundaries."""
    if np.ptp(values_SP) == 0:
        return _interval_without_variance(claim, values_SP, limits)
    shifted = [values_SP - boundary for boundary in (0.0, *claim.boundaries)]
    # One pair has one noise, whatever its difference is held against.
    noise = noise or own_noise(values_SP[None])
    at_zero, *at_boundaries = bootstrap_means(np.stack(shifted), generator, noise)
    return at_zero.within(*limits), max(interval.p for interval in at_boundaries)


def _interval_without_variance(
    claim: Claim, values_SP: FloatArray, limits: tuple[float, float]
) -> tuple[Interval, float]:
    """Return the exact interval where every problem has the same value.

    Other problems may have another one with a chance of at most 1 - (alpha/2)^(1/P) (Clopper and
    Pearson, Biometrika 26, 1934), and be anywhere within the limits then.
    """
    value, problems = float(values_SP.flat[0]), values_SP.shape[1]
    others = 1 - (ALPHA / 2) ** (1 / problems)
    low, high = (value + others * (limit - value) for limit in limits)
    p = max(min(1.0, 2 * (1 - _share(value, b, limits)) ** problems) for b in claim.boundaries)
    return Interval(value, low, high, p, varied(seeds=len(values_SP))), p


def _share(value: float, boundary: float, limits: tuple[float, float]) -> float:
    """Return the least share of problems at a limit that would move the mean to the boundary."""
    room = (limits[1] if boundary > value else limits[0]) - value
    return 0.0 if boundary == value else min(1.0, (boundary - value) / room) if room else 1.0


def _remedy(
    claim: Claim,
    values_SP: FloatArray,
    measured: _Measured,
    limits: tuple[float, float],
    of_seeds: SeedNoise | None,
    alpha: float,
) -> Remedy:
    """Return what would resolve the claim at that level if the effect is as observed."""
    design = Design(measured.design.problems, len(values_SP), measured.design.samples)
    effect = float(values_SP.mean())
    if np.ptp(values_SP) == 0:
        share = min(_share(effect, boundary, limits) for boundary in claim.boundaries)
        return Remedy(design, None, None, _problems_without_variance(share, alpha))
    # Runs taken as given have each problem's samples of all their seeds.
    variance = measured.sample_variance * len(values_SP) / measured.design.seeds
    noise = observed_noise(values_SP, variance, int(design.samples), of_seeds)
    distance = min(abs(effect - boundary) for boundary in claim.boundaries)
    return remedy(noise, design, distance, alpha)


def _problems_without_variance(share: float, alpha: float) -> int | None:
    return ceil(log(alpha / 2) / log1p(-share)) if 0 < share < 1 else None
