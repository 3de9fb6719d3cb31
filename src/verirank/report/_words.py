"""Numbers and findings in words, the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from verirank.record import duration as duration
from verirank.report.leaderboard import Leaderboard, Row


def percent(share: float) -> str:
    """Return a share of 1 in percent with one decimal."""
    return f"{100 * share:.1f}"


def points(share: float) -> str:
    """Return a difference in percentage points with its sign."""
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")


def count(number: int) -> str:
    """Return a count with three significant digits and k, M or B."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {letter}"
    return str(number)


def memory(amount: int) -> str:
    """Return bytes in MB or GB."""
    return f"{amount / 1e9:.2f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"


def digits(number: float | None) -> str:
    """Return a number with three significant digits, or a dash where there is none."""
    if number is None:
        return "\N{EN DASH}"
    if number == 0:
        return "0"
    if abs(number) >= 1000 or abs(number) < 0.001:
        told = f"{number:.1e}".replace("e-0", "e-").replace("e+0", "e")
    else:
        told = f"{number:.3g}"
    return told.replace("-", "\N{MINUS SIGN}")


def listed(names: Sequence[str]) -> str:
    """Return names as an English list."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def ranks(rows: list[Row]) -> list[str]:
    """Return each row's rank, with an = where it is shared, or a dash where there is none."""
    shared = [row.rank for row in rows]
    return [
        "\N{EN DASH}" if rank is None else f"{'=' if shared.count(rank) > 1 else ''}{rank}"
        for rank in shared
    ]


def answer(board: Leaderboard) -> str:
    """Return the finding on the main bench in one or two sentences."""
    rows = board.main
    best, level = rows[0], [row.label for row in rows if row.tied_with_best]
    score = f"{percent(best.avg_at_k)} % (base {percent(best.base_avg_at_k)} %)"
    if best.rank is None:
        return (
            "These methods share no training seed and are not ranked against each other; "
            f"the highest score is {best.label}'s, {score}."
        )
    on = _on_one_seed(rows)
    if best.change_low <= 0:
        return f"No method beat the base model{on}: the highest score is {best.label}'s, {score}."
    if len(rows) == 1:
        return f"{best.label} reached {score}{on}; there is no other method to compare it with."
    if len(level) == 1:
        return f"{best.label} is the best{on}, at {score}; every other method is behind it."
    if len(level) == len(rows):
        return (
            f"No method can be told apart from another{on}; {best.label} scored highest, {score}."
        )
    return f"{best.label} scored highest{on}, {score}; {listed(level[1:])} cannot be told from it."


def _on_one_seed(rows: list[Row]) -> str:
    if rows[0].ranked_seeds > 1:
        return ""
    alone = all(row.seeds == 1 for row in rows)
    return " on this seed" if alone else " on the one seed that all share"


def without_width(board: Leaderboard) -> str:
    """Return a note on the intervals that are points, or nothing where there are none."""
    found = []
    for bench in board.benches:
        labels = [row.label for row in board.of_bench(bench) if row.without_width]
        if labels:
            found.append(f"{listed(labels)} on {bench}")
    if not found:
        return ""
    return (
        f"No width is not certainty: every sample equal for {'; '.join(found)}, so there was "
        "nothing to resample and the interval is a point; the true score may differ."
    )


def limits(board: Leaderboard) -> list[str]:
    """Return what the numbers do not say, the largest limit first."""
    rows = board.main
    seeds = min(row.seeds for row in rows)
    found = []
    if seeds == 1:
        found.append(
            "One training seed: intervals and ties cover the choice of problems and samples only. "
            "Another seed may move a method by more than its interval."
        )
    else:
        found.append(
            f"{seeds} training seeds: intervals cover seeds, problems and samples, "
            "but so few seeds tell their own noise only roughly."
        )
    if rows[0].rank is None:
        found.append("Methods share no training seed, so no method is ranked against another.")
    elif any(row.seeds > row.ranked_seeds for row in rows):
        found.append(
            "Methods have different seeds; ranks compare only what all share: "
            f"{rows[0].ranked_seeds} seed{'s' if rows[0].ranked_seeds > 1 else ''}."
        )
    if note := without_width(board):
        found.append(note)
    found.append(
        "Ranks tell apart only what a paired test at 5 %, corrected over all pairs (Holm), tells "
        "apart. A tie means not resolved, not equal."
    )
    found.append(
        "The ranking holds for this model, task, budget and these learning rates; nothing here "
        "says that it carries over to others."
    )
    return found
