"""Which method to use within a budget, and how far the evidence carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verirank.config import InputError
from verirank.report._spending import Spending, spending
from verirank.report._words import duration, listed, memory, percent, points
from verirank.report.leaderboard import Leaderboard, Row
from verirank.statistics import holm, rank_with_ties

_SEED = 0
_ALPHA = 0.05
_FEWEST_SEEDS = 3
_SCOPE = (
    "This holds for the study's model, task, steps and machine; nothing here says that it carries "
    "over."
)


class NothingToRecommendError(InputError):
    """The study's evidence does not carry a recommendation; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One arm, those within the budget that it cannot be told from, and why it is this one.

    Seconds are of the arm's search of a learning rate, 0 where there was none, and means over its
    runs of a training and an evaluation. `caveats` are what the evidence leaves open of this arm.
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
    runners_up: tuple[str, ...]
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

    Of the arms that fit the budget and that no other of them is significantly better than, it is
    the one that scored highest. What beats the base does so after Holm's correction over all arms.
    The budget is held against what the runs themselves needed.

    Args:
        board: a study's ranking.
        folders: of its studies, whose searches of learning rates count towards the time.
        memory_bytes: the most that training may take.
        seconds: the longest that the search, a training and an evaluation may take together.

    Raises:
        NothingToRecommendError: the arms share fewer than three seeds, no arm fits, or none beat
            the base.
    """
    rows = board.main
    if len(rows) < 2:
        raise NothingToRecommendError(
            "one method alone is no choice: the study has nothing beside it"
        )
    if rows[0].ranked_seeds < _FEWEST_SEEDS:
        raise NothingToRecommendError(
            "the methods share "
            f"{rows[0].ranked_seeds or 'no'} seed{'' if rows[0].ranked_seeds == 1 else 's'}: that "
            f"says too little of how another would do; train {_FEWEST_SEEDS} that all share"
        )
    spent = spending(board.arms, folders)
    fits = [row for row in rows if _fits(row, spent[row.label], memory_bytes, seconds)]
    excluded = [row for row in rows if row not in fits]
    if not fits:
        least = min(rows, key=lambda row: row.peak_memory_bytes)
        raise NothingToRecommendError(
            f"no method fits the budget; the smallest, {least.label}, took "
            f"{memory(least.peak_memory_bytes)} and {duration(spent[least.label].seconds)}"
        )
    gained = _gained(rows)
    proven = [row for row in fits if row.proven and row.label in gained]
    if not proven:
        raise NothingToRecommendError(
            "no method that fits and passed its checks beat the base at 5 %, corrected over all "
            f"{len(rows)} (Holm)"
        )
    standings = rank_with_ties(
        {row.label: board.shared_scores(row) for row in proven}, np.random.default_rng(_SEED)
    )
    by_label = {row.label: row for row in proven}
    best = by_label[standings[0].method]
    level = [by_label[s.method] for s in standings[1:] if s.tied_with_leader]
    cost, caveats = spent[best.label], _caveats(best, spent[best.label])
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
        runners_up=tuple(row.label for row in level),
        excluded=tuple(row.label for row in excluded),
        caveats=caveats,
        reason=" ".join([_reason(best, level, len(proven), excluded, spent), *caveats, _SCOPE]),
    )


def _fits(row: Row, cost: Spending, memory_bytes: float | None, seconds: float | None) -> bool:
    light = memory_bytes is None or row.peak_memory_bytes <= memory_bytes
    return light and (seconds is None or cost.seconds <= seconds)


def _gained(rows: list[Row]) -> set[str]:
    """Return the arms that beat the base, their p-values corrected over all arms."""
    adjusted = holm([row.change_p for row in rows]).tolist()
    return {r.label for r, p in zip(rows, adjusted, strict=True) if p <= _ALPHA and r.change > 0}


def _caveats(best: Row, cost: Spending) -> tuple[str, ...]:
    if cost.search is None:
        return (
            "Its learning rate was set and not searched for: tuned, another method may be ahead.",
        )
    if cost.search.at_edge:
        return (
            f"Its learning rate {best.learning_rate:g} stands at the edge of what was searched: a "
            "better one may lie beyond.",
        )
    return ()


def _adapter_rank(board: Leaderboard, row: Row) -> int | None:
    arm = next(arm for arm in board.arms if arm.label == row.label)
    return arm.runs[0].settings.get("method", {}).get("rank")


def _reason(
    best: Row,
    level: list[Row],
    fitting: int,
    excluded: list[Row],
    spent: Mapping[str, Spending],
) -> str:
    score = f"{percent(best.avg_at_k)} % [{percent(best.low)}, {percent(best.high)}]"
    words = [
        f"{best.label} scored highest of what fits: {score} {best.on}, "
        f"{points(best.change)} points over the base, {best.ranked_seeds} seeds. It took "
        f"{_time(spent[best.label])} and {memory(best.peak_memory_bytes)}."
    ]
    if level:
        cheap = min([best, *level], key=lambda row: spent[row.label].seconds)
        words.append(f"It cannot be told from {listed([row.label for row in level])}.")
        quickest, its = (duration(spent[row.label].seconds) for row in (cheap, best))
        if quickest != its:
            words.append(
                f"{cheap.label} is the quickest of them, {quickest} instead of {its} in all."
            )
    elif fitting > 1:
        words.append("Every other method that fits is significantly behind it.")
    else:
        words.append("No other method fits the budget, passed its checks and beat the base.")
    if excluded:
        words.append(f"Over the budget: {listed([row.label for row in excluded])}.")
    return " ".join(words)


def _time(cost: Spending) -> str:
    """Return what the time of an arm is made of, which a budget is held against."""
    search = f"{duration(cost.search.seconds)} of search, " if cost.search else ""
    parts = (
        f"{search}{duration(cost.train)} of training and {duration(cost.evaluate)} of evaluation"
    )
    return f"{duration(cost.seconds)} ({parts}, one seed)"
