"""How the pages of results write a table and a difference, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def points(value: float, low: float | None, high: float | None) -> str:
    """Return a difference in points with its interval, if it has one."""
    interval = "" if low is None or high is None else f" ({100 * low:+.1f} to {100 * high:+.1f})"
    return f"{100 * value:+.1f}{interval}"


def table(heading: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the heading is given with | between its columns."""
    columns = heading.split(" | ")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
