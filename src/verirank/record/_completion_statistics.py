"""Statistics of a run's completions: how they ended, solve rates, and signs of reward hacking."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from verirank.record._completions import Completion

_REASONS = 4
"""Number of the most frequent verdicts that are reported."""
_SHORT = 0.5
"""A correct answer below this fraction of the base's mean length is a sign of reward hacking."""


@dataclass(frozen=True, slots=True)
class Endings:
    """The most frequent verdicts on some completions and the truncated ones, fractions of 1."""

    reasons: tuple[tuple[str, float], ...]
    truncated: float


@dataclass(frozen=True, slots=True)
class SolveRate:
    """A problem's total reward over a number of completions."""

    problem: str
    reward: float
    completions: int

    @property
    def mean(self) -> float:
        """The mean reward of a completion."""
        return self.reward / self.completions


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The most frequent correct text, which solved several problems in a number of samples."""

    problems: int
    samples: int


@dataclass(frozen=True, slots=True)
class HackingSigns:
    """Possible signs of reward hacking on a bench, pairs of before and after training.

    `short` are correct answers under half of `base_length`, the base's mean length of a correct
    answer in tokens; `several` are correct answers whose text states more than one. Both are
    fractions of the correct samples, `truncated` of all samples. `duplicate` is None unless one
    text solved several problems after training.
    """

    base_length: float
    short: tuple[float, float]
    several: tuple[float, float]
    truncated: tuple[float, float]
    duplicate: Duplicate | None


def endings(rows: Sequence[Completion]) -> Endings:
    """Return how completions ended."""
    reasons = Counter(row["reason"] for row in rows).most_common(_REASONS)
    return Endings(
        reasons=tuple((reason, times / len(rows)) for reason, times in reasons),
        truncated=_fraction(rows, lambda row: row["truncated"]),
    )


def solve_rates(rows: Sequence[Completion]) -> list[SolveRate]:
    """Return the solve rate of every problem, the lowest first; ties in the order of their ids."""
    rewards: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        rewards[row["problem"]].append(row["reward"])
    rates = [SolveRate(problem, sum(each), len(each)) for problem, each in rewards.items()]
    return sorted(rates, key=lambda rate: (rate.mean, rate.problem))


def hacking_signs(rows: Sequence[Completion]) -> HackingSigns | None:
    """Return possible signs of reward hacking, which show where to read and prove nothing.

    Args:
        rows: a bench's samples of both stages.

    Returns:
        The signs, or None if no sample is correct before or after training.
    """
    stages = [[row for row in rows if row["stage"] == stage] for stage in ("before", "after")]
    correct = [[row for row in stage if row["reward"]] for stage in stages]
    if not all(correct):
        return None
    base_length = fmean(row["length"] for row in correct[0])

    def before_and_after(
        samples: list[list[Completion]], sign: Callable[[Completion], bool]
    ) -> tuple[float, float]:
        return _fraction(samples[0], sign), _fraction(samples[1], sign)

    return HackingSigns(
        base_length=base_length,
        short=before_and_after(correct, lambda row: row["length"] < _SHORT * base_length),
        several=before_and_after(correct, lambda row: row["completion"].count("\\boxed{") > 1),
        truncated=before_and_after(stages, lambda row: row["truncated"]),
        duplicate=_duplicate(correct[1]),
    )


def _duplicate(correct: Sequence[Completion]) -> Duplicate | None:
    text, samples = Counter(row["completion"] for row in correct).most_common(1)[0]
    problems = len({row["problem"] for row in correct if row["completion"] == text})
    return Duplicate(problems, samples) if problems > 1 else None


def _fraction(rows: Sequence[Completion], condition: Callable[[Completion], bool]) -> float:
    return sum(map(condition, rows)) / max(1, len(rows))
