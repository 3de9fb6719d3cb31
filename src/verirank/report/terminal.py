"""Terminal tables: the leaderboard, and the effects of defects."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from verirank.ranking import (
    Confounds,
    Effect,
    Leaderboard,
    Row,
    memory,
    percent,
    points,
    read_races,
    read_searches,
)
from verirank.record import duration
from verirank.report._palette import STANDINGS, UNPROVEN_GAIN, gain, standing
from verirank.report._words import advice, answer, limits, notes, ranks, trainable

_STYLES = dict(zip(STANDINGS, ("bold", "", ""), strict=True))
_WIDEST_NAME = 24
_MOST_ROWS = 60
"""Rows printed; leaderboard.csv has all of them."""


def print_leaderboard(
    board: Leaderboard, console: Console | None = None, *, folders: Iterable[Path] = ()
) -> None:
    """Print the leaderboard of the main bench, the scores on the others, and the result.

    Args:
        board: the leaderboard.
        console: the console to print to, by default the terminal.
        folders: the studies' folders; a line tells how the arms of a race ended, and
            a warning names searches that ended at their edge.
    """
    console, folders = console or Console(), list(folders)
    console.print(_table(board))
    if (more := len(board.main) - _MOST_ROWS) > 0:
        console.print(Text(f"and {more:,} more in leaderboard.csv", style="dim"))
    console.print(Text(answer(board), style="bold"))
    for note in (limits(board)[0], *notes(board.main)):
        console.print(Text(note, style="dim"))
    for race in read_races(folders):
        console.print(Text(race.result, style="dim"))
    if edge := read_searches(folders).edge:
        console.print(Text(edge, style="dim"))
    if any(gain(row) == UNPROVEN_GAIN for row in board.main):
        console.print(Text(f"?: {UNPROVEN_GAIN}", style="dim"))
    for run in board.not_scored[:_MOST_ROWS]:
        line = f"not scored: {run.name} ({run.folder}): {run.reason}"
        console.print(Text(line, style="yellow"))
    if (more := len(board.not_scored) - _MOST_ROWS) > 0:
        console.print(Text(f"not scored: {more:,} more in leaderboard.json", style="yellow"))


def print_advice(
    board: Leaderboard, folders: Iterable[Path], console: Console | None = None
) -> None:
    """Print the recommended method and the reason, or why there is none."""
    console = console or Console()
    advised, why = advice(board, folders)
    console.print(Text(advised, style="bold"))
    console.print(Text(why))


def _name(row: Row) -> str:
    return row.label if row.proven else f"{row.label} (not proven)"


def _table(board: Leaderboard) -> Table:
    main, *others = board.benches
    first = board.main[0]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    table.add_column("rank", justify="right", no_wrap=True)
    shown = board.main[:_MOST_ROWS]
    longest = max(len(_name(row)) for row in shown)
    table.add_column("method", overflow="fold", min_width=min(longest, _WIDEST_NAME))
    table.add_column(Text(f"Avg@{first.k} {main} %"), justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    for bench in others:
        table.add_column(Text(f"{bench} %"), justify="right", no_wrap=True)
    for heading in ("trainable", "seconds", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row, rank in zip(shown, ranks(board.main)[:_MOST_ROWS], strict=True):
        cells = (rank, *_cells(board, row, others))
        table.add_row(*map(Text, cells), style=_STYLES[standing(row)])
    return table


def _cells(board: Leaderboard, row: Row, others: list[str]) -> list[str]:
    beside = [board.other(row.label, bench) for bench in others]
    return [
        _name(row),
        f"{percent(row.avg_at_k)} [{percent(row.low)}, {percent(row.high)}]",
        points(row.change) + ("" if gain(row) != UNPROVEN_GAIN else " ?"),
        *[percent(other.avg_at_k) if other else "" for other in beside],
        trainable(row),
        f"{row.seconds:.0f}" if row.seconds < 7200 else duration(row.seconds),
        memory(row.peak_memory_bytes),
    ]


def print_confounds(confounds: Confounds, console: Console | None = None) -> None:
    """Print the effect of each defect on each method on the main bench, and omitted trials."""
    console = console or Console()
    effects = confounds.main
    if effects:
        console.print(_confound_table(effects))
        moved = sum(effect.resolved for effect in effects)
        passes = sum(effect.pass_resolved for effect in effects)
        counts = (
            f"Avg@k changes significantly in {moved} of {len(effects)} (bold), Pass@k in {passes}"
        )
        console.print(Text(f"{counts} (5 %, Holm over all).", style="bold"))
    for trial, why in confounds.missing.items():
        console.print(Text(f"not compared: {trial}: {why}", style="yellow"))


def _confound_table(effects: list[Effect]) -> Table:
    k, bench = effects[0].k, effects[0].bench
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    table.add_column("defect", no_wrap=True)
    table.add_column("method", overflow="fold")
    for heading in (f"Avg@{k} {bench} %", "difference", f"Pass@{k} %"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for effect in effects:
        cells = (
            effect.defect,
            effect.label,
            f"{percent(effect.fair_avg_at_k)} to {percent(effect.avg_at_k)}",
            f"{points(effect.difference)} [{points(effect.low)}, {points(effect.high)}]",
            f"{percent(effect.fair_pass_at_k)} to {percent(effect.pass_at_k)}",
        )
        table.add_row(*map(Text, cells), style="bold" if effect.resolved else "")
    return table
