"""Findings and limits as sentences, the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from verirank.config import InputError
from verirank.ranking import (
    Leaderboard,
    Recommendation,
    Row,
    count,
    listed,
    percent,
    points,
    recommend,
    waited_fraction,
)
from verirank.record import BUSY
from verirank.statistics import EQUALITY_MARGIN

_MOST_NAMED = 6
"""Methods that a sentence names."""


def ranks(rows: list[Row]) -> list[str]:
    """Return each row's rank, with = before a shared one; empty for an unranked row."""
    shared = [row.rank for row in rows]
    return [
        "" if rank is None else f"{'=' if shared.count(rank) > 1 else ''}{rank}" for rank in shared
    ]


def rank_set(row: Row) -> str:
    """Return the ranks that a row may truly have; empty for an unranked row."""
    if row.rank is None:
        return ""
    return f"{row.rank}" if row.rank == row.rank_worst else f"{row.rank} to {row.rank_worst}"


def trainable(row: Row) -> str:
    """Return a row's trainable parameters, and those that are left where a schedule prunes."""
    left = row.remaining_parameters
    start = count(row.trainable_parameters)
    return start if left in (None, row.trainable_parameters) else f"{start} to {count(left)}"


def answer(board: Leaderboard) -> str:
    """Return the result on the main bench in one to three sentences."""
    rows = board.main
    best, level = rows[0], [row.label for row in rows if row.tied_with_best]
    score = f"{percent(best.avg_at_k)} % (base {percent(best.base_avg_at_k)} %)"
    if best.rank is None:
        return _unranked(rows, f"the highest score is {best.label}'s, {score}")
    on = _on_one_seed(rows)
    ranked = [row for row in rows if row.rank is not None]
    if not any(row.gained for row in rows):
        return f"No method beat the base model{on}: the highest score is {best.label}'s, {score}."
    if len(rows) == 1:
        return f"{best.label} reached {score}{on}; there is no other method to compare it with."
    if len(level) == 1:
        return (
            f"{best.label} is the best{on}, at {score}; every other method is significantly worse."
        )
    equal = equality(board)
    if len(level) == len(ranked):
        return (
            f"No difference between the methods is significant{on}; {best.label} scored highest, "
            f"{score}.{equal}"
        )
    others = listed(level[1:], _MOST_NAMED)
    lead = f"its lead over {others} is not significant"
    return f"{best.label} scored highest{on}, {score}; {lead}.{equal}"


def _unranked(rows: list[Row], highest: str) -> str:
    if any(row.lost for row in rows):
        return f"Methods have runs to come, so none is ranked yet; {highest}."
    return f"These methods share no training seed and are not ranked against each other; {highest}."


def equality(board: Leaderboard) -> str:
    """Return which methods are equal within the margin, as a sentence with a space before it."""
    groups = board.main_tests.equal_groups
    if not groups:
        return ""
    return f" {listed(groups[0], _MOST_NAMED)} are equal within {100 * EQUALITY_MARGIN:g} points."


def advice(board: Leaderboard, folders: Iterable[Path]) -> tuple[str, str]:
    """Return the recommendation and its reason, or why there is none."""
    try:
        recommendation = recommend(board, folders)
    except InputError as error:
        return "No recommendation.", f"{str(error)[:1].upper()}{str(error)[1:]}."
    return use(recommendation), recommendation.reason


def use(advised: Recommendation) -> str:
    """Return a recommendation as an instruction."""
    rank = f", rank {advised.rank}" if advised.rank else ""
    rate = f", learning rate {advised.learning_rate:g}" if advised.learning_rate else ""
    return f"Use {advised.label}{rank}{rate}."


def _on_one_seed(rows: list[Row]) -> str:
    if rows[0].ranked_seeds > 1:
        return ""
    alone = all(row.seeds == 1 for row in rows)
    return " on this seed" if alone else " on the one seed that all share"


def limits(board: Leaderboard) -> list[str]:
    """Return the limits of the results, the most important one first."""
    rows = board.main
    seeds = min(row.seeds for row in rows)
    sentences = []
    if seeds == 1:
        sentences.append(
            "One training seed: intervals and ties cover the choice of problems and samples only. "
            "Another seed may move a method by more than its interval."
        )
    else:
        sentences.append(
            f"{seeds} training seeds: intervals cover seeds, problems and samples, "
            "but so few seeds give only a rough estimate of the variation between seeds."
        )
    if rows[0].rank is None and not any(row.lost for row in rows):
        sentences.append("Methods share no training seed, so no method is ranked against another.")
    elif any(row.rank and row.seeds > row.ranked_seeds for row in rows):
        sentences.append(
            "Methods have different seeds; two methods are compared on the seeds that both have."
        )
    if groups := {row.groups for row in board.rows if row.groups}:
        sentences.append(
            f"Problems come in groups ({listed([str(count) for count in sorted(groups)])}): "
            "intervals and tests are over groups, not over single problems."
        )
    sentences += [*notes(rows), *_searches(rows), *_training_warnings(board), *_load(board)]
    sentences.append(
        "Ranks differ only where a paired test at 5 %, corrected over all pairs (Holm), is "
        "significant. A tie means that no difference was found, not that there is none; methods "
        f"are called equal where tests show that they differ by less than "
        f"{100 * EQUALITY_MARGIN:g} points, corrected over all pairs."
    )
    sentences.append(
        "The ranking holds for this model, task, budget and these learning rates; the study does "
        "not show whether it transfers to others."
    )
    return sentences


def _training_warnings(board: Leaderboard) -> list[str]:
    """Return one line for each kind of thing that went wrong in training, with where it did."""
    runs_of = dict[str, list[str]]()
    for arm in board.ordered_arms:
        for run, manifest in zip(arm.runs, arm.manifests, strict=True):
            for warning in manifest.get("warnings", ()):
                where = f"{arm.label}, seed {run.seed}, from step {warning['step']}"
                runs_of.setdefault(warning["kind"], []).append(where)
    return [
        f"Warning of training, {kind}: {listed(runs, _MOST_NAMED)}."
        for kind, runs in sorted(runs_of.items())
    ]


def _load(board: Leaderboard) -> list[str]:
    """Return that seconds compare little, where runs waited for cores that other work had."""
    known = {arm.label: waited_fraction(arm) for arm in board.ordered_arms}
    waits = sorted(((wait, label) for label, wait in known.items() if wait is not None))
    if not waits or waits[-1][0] < BUSY:
        return []
    most, label = waits[-1]
    return [
        f"Other work had the cores up to {100 * most:.0f} % of the time of training ({label}): "
        "seconds compare methods only where nothing else runs."
    ]


def _searches(rows: list[Row]) -> list[str]:
    """Return how much of the intervals the searches of learning rates make up."""
    fractions = sorted(
        ((row.search_fraction, row.label) for row in rows if row.search_fraction is not None),
        reverse=True,
    )
    if not fractions:
        return []
    (most, label), (least, _) = fractions[0], fractions[-1]
    between = f"{100 * least:.0f} to {100 * most:.0f}" if most > least else f"{100 * most:.0f}"
    return [
        "Another search might have found another learning rate: that makes up "
        f"{between} % of the variance behind a method's interval (most of {label}'s), and is in "
        "every interval, test and rank."
    ]


def notes(rows: list[Row]) -> list[str]:
    """Return what failed, missing and collapsed runs, and the leader's luck, mean for scores."""
    optimism = _optimism(rows)
    return [*_failures(rows), *([optimism] if optimism else [])]


def _failures(rows: list[Row]) -> list[str]:
    """Return what failed, collapsed and missing runs mean for the scores."""
    failed = [
        f"{row.label} failed on {_seeds(row.failed)} ({percent(row.failed_as_base)} % with the "
        f"base's score there, {percent(row.failed_as_zero)} % with 0)"
        for row in rows
        if row.failed
    ]
    lost = [f"{row.label} ({_seeds(row.lost)})" for row in rows if row.lost]
    collapsed = [f"{row.label} ({_seeds(row.collapsed)})" for row in rows if row.collapsed]
    sentences = []
    if failed:
        sentences.append(f"Failed runs count: {listed(failed, _MOST_NAMED)}.")
    if lost:
        sentences.append(
            f"No rank before all runs are done: {listed(lost, _MOST_NAMED)} still to come, or lost "
            "to the machine."
        )
    if collapsed:
        sentences.append(
            f"Seeds that fell far below the method's others: {listed(collapsed, _MOST_NAMED)}. "
            "Such a method's interval rests on its own seeds alone, and other methods may collapse "
            "on further seeds, which their intervals do not cover."
        )
    return sentences


def _seeds(seeds: tuple[int, ...]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {listed([str(seed) for seed in seeds])}"


def _optimism(rows: list[Row]) -> str:
    """Return by how much the best score is expected to be too high, and what is left of it."""
    best = rows[0]
    if best.rank is None or best.shrunk is None or best.avg_at_k - best.shrunk < 0.0005:
        return ""
    luck = best.avg_at_k - best.shrunk
    low, high = (percent(max(0.0, bound - luck)) for bound in (best.low, best.high))
    return (
        f"{best.label}'s score is optimistic by about {points(luck)[1:]} points, for it is the "
        f"highest of {len(rows)}. Without this luck it is {percent(best.shrunk)} % [{low}, {high}]."
    )
