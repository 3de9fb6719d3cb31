"""How a search narrows an arm's learning rates: what is known decides what runs next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verirank.config import InputError, load_plugin
from verirank.statistics import FinalScores, surely_worse
from verirank.study._arm import Arm
from verirank.study._definition import SearchConfig

FloatArray = NDArray[np.float64]
ERROR = 0.05
"""The chance that a search drops a rate that equals its best, over all its rungs."""


@dataclass(slots=True)
class Known:
    """What is known of one trial of a search.

    `values_P` holds by steps the fraction of right samples of each problem, `error` why it failed.
    """

    values_P: dict[int, FloatArray] = field(default_factory=dict)
    error: str | None = None


KnownRates = Mapping[float, Mapping[int, Known]]
"""What is known of each learning rate with each of the search's seeds, which are the same."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a search does next: trains `trials` to `steps`, or ends with `winner` or without one.

    Attributes:
        trials: rates and seeds to be trained.
        steps: how far.
        dropped: the rates that do not go on, and after how many steps each was dropped.
        winner: the rate that the search chose.
        final: the scores at the last step; None before that, and where no rate came to it.
    """

    trials: tuple[tuple[float, int], ...]
    steps: int
    dropped: dict[float, int]
    winner: float | None = None
    final: FinalScores | None = None


def learning_rates(prior: float, search: SearchConfig) -> list[float]:
    """Return the learning rates of a search, those nearest to the prior first.

    Raises:
        InputError: two of them are equal when rounded to three digits.
    """
    n = search.learning_rates
    exponents = sorted((i / (n - 1) - 0.5 if n > 1 else 0.0 for i in range(n)), key=abs)
    rates = [float(f"{prior * search.span**exponent:.3g}") for exponent in exponents]
    if len(set(rates)) < n:
        raise InputError(f"{n} learning rates within a factor of {search.span:g} are not distinct")
    return rates


def rungs(arm: Arm, search: SearchConfig) -> list[int]:
    """Return after how many steps an arm's trials are scored; the last rung is the last step.

    None lies before the method's own schedule has come to its final phase: what a trial scores
    until then says little of how it ends.
    """
    settled = load_plugin("method", arm.method).final_phase(arm.steps)
    early = {max(1, round(fraction * arm.steps)) for fraction in search.rungs}
    return [*sorted(at for at in early if settled <= at < arm.steps), arm.steps]


def decide(known: KnownRates, at: Sequence[int]) -> Decision:
    """Return what the search of an arm does next.

    A rate that failed with one of the search's seeds does not go on. Where none is left, the best
    of those that were dropped does; where that fails too, in the end the best rate that was seen
    stable wins, without a score at the last step.

    Args:
        known: by learning rate and seed, in the order in which they are trained.
        at: the rungs.
    """
    going, dropped = list(known), dict[float, int]()
    for steps in at:
        going = _revived(known, going, dropped, steps)
        if trials := tuple(_open(known, going, steps)):
            return Decision(trials, steps, dropped)
        stable = sorted(rate for rate in going if _is_scored(known[rate], steps))
        dropped |= {rate: steps for rate in going if rate not in stable}
        if not stable:
            return Decision((), steps, dropped, _best_seen(known))
        if steps == at[-1]:
            final = _final(known, stable, steps)
            return Decision((), steps, dropped, final.rate, final)
        kept = _kept(known, stable, steps, ERROR / max(1, len(at) - 1))
        going = [rate for rate in going if rate in kept]
        dropped |= {rate: steps for rate in stable if rate not in kept}
    raise AssertionError("there is always a last rung")


def _open(known: KnownRates, going: Sequence[float], steps: int) -> Iterator[tuple[float, int]]:
    """Yield the rates and seeds that have still to be trained to a rung."""
    for rate in going:
        if not _has_failed(known[rate]):
            yield from ((rate, s) for s, one in known[rate].items() if steps not in one.values_P)


def _revived(
    known: KnownRates, going: list[float], dropped: dict[float, int], steps: int
) -> list[float]:
    """Return the rates that go on: where all have failed, the best one that was dropped instead."""
    while all(_has_failed(known[r]) and not _is_scored(known[r], steps) for r in going):
        able = [rate for rate in dropped if not _has_failed(known[rate])]
        if not able:
            break
        best = max(able, key=lambda rate: (dropped[rate], _mean(known[rate], dropped[rate]), -rate))
        dropped |= dict.fromkeys(going, steps)
        del dropped[best]
        going = [best]
    return going


def _kept(known: KnownRates, stable: Sequence[float], steps: int, error: float) -> set[float]:
    """Return the rates that are not surely worse than the best, and those beside the best.

    A curve needs the best rate's neighbours, and two finalists at least must meet at the end.
    """
    values_RSP = _values(known, stable, steps)
    best = int(values_RSP.mean(axis=(1, 2)).argmax())
    kept = {rate for rate, w in zip(stable, surely_worse(values_RSP, error), strict=True) if not w}
    return kept | set(stable[max(0, best - 1) : best + 2])


def _final(known: KnownRates, stable: Sequence[float], steps: int) -> FinalScores:
    grid = sorted(known)
    indices = tuple(grid.index(rate) for rate in stable)
    return FinalScores(tuple(grid), indices, _values(known, stable, steps))


def _best_seen(known: KnownRates) -> float | None:
    """Return the rate that came furthest on its own, of these the best; None if none did.

    What counts first is how far all its seeds came, then the sum of how far each came.
    """
    seen: dict[float, tuple[float, ...]] = {}
    for rate, seeds in known.items():
        came = [(max(one.values_P), one) for one in seeds.values() if one.values_P]
        if came:
            least = min(at for at, _ in came) if len(came) == len(seeds) else 0
            score = float(np.mean([one.values_P[at] for at, one in came]))
            seen[rate] = (least, sum(at for at, _ in came), score, -rate)
    return max(seen, key=lambda rate: seen[rate], default=None)


def _values(known: KnownRates, rates: Sequence[float], steps: int) -> FloatArray:
    """Return the values at a rung, rates x seeds x problems."""
    return np.stack([[one.values_P[steps] for one in known[rate].values()] for rate in rates])


def _mean(seeds: Mapping[int, Known], steps: int) -> float:
    return float(np.mean([one.values_P[steps] for one in seeds.values()]))


def _is_scored(seeds: Mapping[int, Known], steps: int) -> bool:
    """Return whether a rate has its score at a rung with every seed."""
    return all(steps in one.values_P for one in seeds.values())


def _has_failed(seeds: Mapping[int, Known]) -> bool:
    return any(one.error is not None for one in seeds.values())
