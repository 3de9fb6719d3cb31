"""Which method to use within a budget, and how strong the evidence is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from verirank.config import InputError
from verirank.ranking._costs import ArmCost, arm_costs
from verirank.ranking._formats import chance, listed, memory, percent, points
from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking._row import Row
from verirank.record import BUSY, duration
from verirank.statistics import EQUALITY_MARGIN

_FEWEST_SEEDS = 3
_MOST_NAMED = 6
_MARGIN = f"{100 * EQUALITY_MARGIN:g} points"
_SCOPE = (
    "This holds for the study's model, task, steps and machine; the study does not show whether "
    "it transfers to others."
)


class NothingToRecommendError(InputError):
    """The evidence does not support a recommendation; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The recommended arm, the arms not significantly different from it, and the reason.

    `seconds_search` is the time of the arm's learning-rate search, 0 without one; the other seconds
    are means over its runs. `best` and `near_best` are the chances of being the best and within the
    margin of equality of the best among all arms, `equals` the arms that are equal within it.
    `caveats` are open questions about this arm.
    """

    method: str
    label: str
    rank: int | None
    learning_rate: float | None
    avg_at_k: float
    low: float
    high: float
    change: float
    seconds_search: float
    seconds_train: float
    seconds_evaluate: float
    peak_memory_bytes: int
    best: float | None
    near_best: float | None
    runners_up: tuple[str, ...]
    equals: tuple[str, ...]
    excluded: tuple[str, ...]
    caveats: tuple[str, ...]
    reason: str


def recommend(
    board: Leaderboard,
    folders: Iterable[Path] = (),
    *,
    memory_bytes: float | None = None,
    seconds: float | None = None,
) -> Recommendation:
    """Return the arm to use.

    It ranks first of the arms that fit the budget, passed their checks and beat the base
    after Holm's correction over all arms. The budget is compared with what the runs measured.

    Args:
        board: the leaderboard of a study or several.
        folders: the studies' folders; the time of their learning-rate searches counts.
        memory_bytes: the limit on peak training memory.
        seconds: the limit on search, training and evaluation together.

    Raises:
        NothingToRecommendError: the arms share fewer than three seeds, no arm fits, or none beat
            the base.
    """
    rows = board.main
    if len(rows) < 2:
        raise NothingToRecommendError(
            "the study has only one method; a recommendation needs at least two"
        )
    if rows[0].rank is None and any(row.lost for row in rows):
        raise NothingToRecommendError("methods have runs to come; finish the study first")
    if rows[0].ranked_seeds < _FEWEST_SEEDS:
        raise NothingToRecommendError(
            "the methods share "
            f"{rows[0].ranked_seeds or 'no'} seed{'' if rows[0].ranked_seeds == 1 else 's'}; "
            f"a recommendation needs at least {_FEWEST_SEEDS} that all share"
        )
    costs = arm_costs(board.arms, folders)
    fits = [row for row in rows if _fits(row, costs[row.label], memory_bytes, seconds)]
    excluded = [row for row in rows if row not in fits]
    if not fits:
        least = min(rows, key=lambda row: row.peak_memory_bytes)
        raise NothingToRecommendError(
            f"no method fits the budget; the smallest, {least.label}, took "
            f"{memory(least.peak_memory_bytes)} and {duration(costs[least.label].seconds)}"
        )
    proven = [row for row in fits if row.proven and row.gained and row.rank is not None]
    if not proven:
        raise NothingToRecommendError(
            "no method that fits the budget and passed its checks beat the base at 5 %, corrected "
            f"over all {len(rows)} (Holm)"
        )
    pairs = board.main_tests.pairs
    best, *others = proven
    level = [row for row in others if pairs and not pairs.is_better(best.label, row.label)]
    equals = board.main_tests.equals_of(best.label)
    cost, caveats = costs[best.label], _caveats(best, costs[best.label])
    reason = _reason(proven, level, excluded, costs, equals)
    return Recommendation(
        method=best.method,
        label=best.label,
        rank=_adapter_rank(board, best),
        learning_rate=best.learning_rate,
        avg_at_k=best.avg_at_k,
        low=best.low,
        high=best.high,
        change=best.change,
        seconds_search=cost.search.seconds if cost.search else 0.0,
        seconds_train=cost.train,
        seconds_evaluate=cost.evaluate,
        peak_memory_bytes=best.peak_memory_bytes,
        best=best.best,
        near_best=best.near_best,
        runners_up=tuple(row.label for row in level),
        equals=equals,
        excluded=tuple(row.label for row in excluded),
        caveats=caveats,
        reason=" ".join([reason, *caveats, _SCOPE]),
    )


def _fits(row: Row, cost: ArmCost, memory_bytes: float | None, seconds: float | None) -> bool:
    light = memory_bytes is None or row.peak_memory_bytes <= memory_bytes
    return light and (seconds is None or cost.seconds <= seconds)


def _caveats(best: Row, cost: ArmCost) -> tuple[str, ...]:
    if cost.search is None:
        return ("Its learning rate was fixed, not searched: another method may win once tuned.",)
    if cost.search.at_edge:
        return (
            f"Its learning rate {best.learning_rate:g} is at the edge of the searched range: a "
            "better one may lie outside it.",
        )
    return ()


def _adapter_rank(board: Leaderboard, row: Row) -> int | None:
    arm = next(arm for arm in board.arms if arm.label == row.label)
    return arm.runs[0].settings.get("method", {}).get("rank")


def _reason(
    proven: list[Row],
    level: list[Row],
    excluded: list[Row],
    costs: Mapping[str, ArmCost],
    equals: Collection[str],
) -> str:
    best, most = proven[0], max(row.avg_at_k for row in proven)
    lead = "has the highest score" if best.avg_at_k == most else "ranks first on shared seeds"
    score = f"{percent(best.avg_at_k)} % [{percent(best.low)}, {percent(best.high)}]"
    words = [
        f"{best.label} {lead} within the budget: {score} {best.on}, "
        f"{points(best.change)} points over the base, {best.ranked_seeds} seeds. It took "
        f"{_time(costs[best.label])} and {memory(best.peak_memory_bytes)}."
    ]
    if level:
        words.append(
            f"Its lead over {listed([row.label for row in level], _MOST_NAMED)} is not significant."
        )
        words += _fastest(best, level, costs)
        if equal := [row.label for row in level if row.label in equals]:
            words.append(f"{listed([best.label, *equal], _MOST_NAMED)} are equal within {_MARGIN}.")
    elif len(proven) > 1:
        words.append("Every other method within the budget is significantly worse.")
    else:
        words.append("No other method fits the budget, passes its checks and beats the base.")
    if best.near_best is not None and best.best is not None:
        words.append(
            f"Among all methods it is the best with a chance of {chance(best.best)} and within "
            f"{_MARGIN} of the best with {chance(best.near_best)}."
        )
    if excluded:
        words.append(f"Over the budget: {listed([row.label for row in excluded], _MOST_NAMED)}.")
    return " ".join(words)


def _fastest(best: Row, level: list[Row], costs: Mapping[str, ArmCost]) -> list[str]:
    """Return which of tied arms is the fastest, or why none is named; empty where it is the best.

    Seconds compare methods only where no other work had the cores.
    """
    tied = {row.label: costs[row.label] for row in (best, *level)}
    waits = [cost.waited for cost in tied.values()]
    most = max((wait for wait in waits if wait is not None), default=0.0)
    if most >= BUSY:
        return [
            f"None is named the fastest: other work had the cores up to {100 * most:.0f} % of the "
            "time, so the seconds compare little."
        ]
    cheap = min(tied, key=lambda label: tied[label].seconds)
    quickest, its = (duration(tied[label].seconds) for label in (cheap, best.label))
    if quickest == its:
        return []
    unknown = " (if no other work had the cores, which is not recorded)" if None in waits else ""
    return [f"{cheap} is the fastest of them: {quickest} instead of {its} in total{unknown}."]


def _time(cost: ArmCost) -> str:
    """Return the total time of an arm and its parts, which a budget is compared with."""
    search = f"{duration(cost.search.seconds)} of search, " if cost.search else ""
    parts = (
        f"{search}{duration(cost.train)} of training and {duration(cost.evaluate)} of evaluation"
    )
    return f"{duration(cost.seconds)} ({parts}, one seed)"
