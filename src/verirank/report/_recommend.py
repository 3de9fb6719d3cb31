"""Which method to use within a budget, and how far the evidence carries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verirank.config import InputError
from verirank.report._words import duration, listed, memory, percent, points
from verirank.report.leaderboard import Leaderboard, Row
from verirank.statistics import rank_with_ties

_SEED = 0


class NothingToRecommendError(InputError):
    """The study's evidence does not carry a recommendation; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One arm, those within the budget that it cannot be told from, and why it is this one."""

    method: str
    label: str
    rank: int | None
    learning_rate: float | None
    avg_at_k: float
    low: float
    high: float
    change: float
    seconds: float
    peak_memory_bytes: int
    runners_up: tuple[str, ...]
    excluded: tuple[str, ...]
    reason: str


def recommend(
    board: Leaderboard, *, memory_bytes: float | None = None, seconds: float | None = None
) -> Recommendation:
    """Return the arm to use.

    Of the arms that fit the budget and that no other of them is significantly better than, it is
    the one that scored highest. The budget is held against what the runs themselves needed.

    Args:
        board: a study's ranking.
        memory_bytes: the most that training may take.
        seconds: the longest that training may take.

    Raises:
        NothingToRecommendError: there is one seed only, the arms share none, no arm fits, or none
            beat the base.
    """
    rows = board.main
    if len(rows) < 2:
        raise NothingToRecommendError(
            "one method alone is no choice: the study has nothing beside it"
        )
    if rows[0].ranked_seeds < 2:
        raise NothingToRecommendError(
            "the methods share "
            f"{rows[0].ranked_seeds or 'no'} seed{'' if rows[0].ranked_seeds == 1 else 's'}: that "
            "says nothing of how another seed would do; train at least two that all share"
        )
    fits = [row for row in rows if _fits(row, memory_bytes, seconds)]
    excluded = [row for row in rows if row not in fits]
    if not fits:
        least = min(rows, key=lambda row: row.peak_memory_bytes)
        raise NothingToRecommendError(
            f"no method fits the budget; the smallest, {least.label}, took "
            f"{memory(least.peak_memory_bytes)} and {duration(least.seconds)}"
        )
    proven = [row for row in fits if row.proven and row.change_low > 0]
    if not proven:
        raise NothingToRecommendError("no method that fits and passed its checks beat the base")
    standings = rank_with_ties(
        {row.label: board.shared_scores(row) for row in proven}, np.random.default_rng(_SEED)
    )
    by_label = {row.label: row for row in proven}
    best = by_label[standings[0].method]
    level = [by_label[s.method] for s in standings[1:] if s.tied_with_leader]
    return Recommendation(
        method=best.method,
        label=best.label,
        rank=_adapter_rank(board, best),
        learning_rate=best.learning_rate,
        avg_at_k=best.avg_at_k,
        low=best.low,
        high=best.high,
        change=best.change,
        seconds=best.seconds,
        peak_memory_bytes=best.peak_memory_bytes,
        runners_up=tuple(row.label for row in level),
        excluded=tuple(row.label for row in excluded),
        reason=_reason(best, level, len(proven), excluded),
    )


def _fits(row: Row, memory_bytes: float | None, seconds: float | None) -> bool:
    light = memory_bytes is None or row.peak_memory_bytes <= memory_bytes
    return light and (seconds is None or row.seconds <= seconds)


def _adapter_rank(board: Leaderboard, row: Row) -> int | None:
    arm = next(arm for arm in board.arms if arm.label == row.label)
    return arm.runs[0].settings.get("method", {}).get("rank")


def _reason(best: Row, level: list[Row], fitting: int, excluded: list[Row]) -> str:
    score = f"{percent(best.avg_at_k)} % [{percent(best.low)}, {percent(best.high)}]"
    words = [
        f"{best.label} scored highest of what fits: {score} {best.on}, "
        f"{points(best.change)} points over the base, {best.ranked_seeds} seeds. A run took "
        f"{duration(best.seconds)} and {memory(best.peak_memory_bytes)}."
    ]
    if level:
        cheap = min([best, *level], key=lambda row: row.seconds)
        words.append(f"It cannot be told from {listed([row.label for row in level])}.")
        if cheap is not best:
            words.append(
                f"{cheap.label} is the quickest of them, {duration(cheap.seconds)} instead of "
                f"{duration(best.seconds)}."
            )
    elif fitting > 1:
        words.append("Every other method that fits is significantly behind it.")
    else:
        words.append("No other method fits the budget, passed its checks and beat the base.")
    if excluded:
        words.append(f"Over the budget: {listed([row.label for row in excluded])}.")
    words.append(
        "This holds for the study's model, task, steps and machine; nothing here says that it "
        "carries over."
    )
    return " ".join(words)
