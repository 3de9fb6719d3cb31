"""The report's figures: each a chart, words for those who cannot see it, and its data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verirank.record import write_csv, write_file
from verirank.report._artist import Artist, Picture
from verirank.report._confound_chart import confound_chart, confound_rows
from verirank.report._curve_chart import WINDOW, curve_chart, curve_rows
from verirank.report._energy_chart import energy_chart, energy_rows
from verirank.report._interval_chart import interval_chart, interval_rows
from verirank.report._palette import FILE, Palette, chart_config
from verirank.report._rate_chart import Searches, rate_chart
from verirank.report._scatter_chart import (
    MEMORY,
    PARAMETERS,
    SECONDS,
    scatter_chart,
    scatter_rows,
)
from verirank.report._vega_lite import SCHEMA, Spec
from verirank.report._words import percent, without_width
from verirank.report.confounds import Confounds
from verirank.report.leaderboard import Leaderboard

if TYPE_CHECKING:
    from verirank.geometry import Geometry

_KEY = (
    "Blue dots cannot be told apart from the best, grey squares are behind it, orange diamonds "
    "did not gain on the base. Bars are 95 % intervals."
)
_KEY_WITHOUT_RANKS = (
    "Grey triangles are not ranked, for the methods share no training seed; orange diamonds did "
    "not gain on the base. Bars are 95 % intervals."
)
_FRONTIER = "the line joins those that none beats for less (the Pareto frontier)."

MOST_DRAWN = 40
"""Methods in one chart: more are no longer told apart; the data beside it has them all."""


@dataclass(frozen=True)
class Figure:
    """One figure: `draw` makes its chart in a palette, `rows` are the numbers it shows.

    `alternative` says in words what the chart shows.
    """

    name: str
    title: str
    caption: str
    alternative: str
    draw: Callable[[Palette], Spec]
    rows: list[dict[str, Any]]

    def specification(self, palette: Palette) -> Spec:
        """Return the Vega-Lite specification."""
        return _specification(self.draw(palette), palette)

    def drawn(self, artist: Artist) -> Future[Picture]:
        """Have the picture drawn on white."""
        return artist.draw(self.specification(FILE))

    def write(self, folder: Path, picture: Picture) -> None:
        """Write NAME.svg, NAME.pdf and its data as NAME.csv."""
        write_file(folder / f"{self.name}.svg", picture.svg)
        write_file(folder / f"{self.name}.pdf", picture.pdf)
        write_csv(folder / f"{self.name}.csv", self.rows)


def build_figures(board: Leaderboard, searches: Searches) -> list[Figure]:
    """Return the report's figures, in the order of the page.

    Args:
        board: the ranking.
        searches: of fair studies; without one there is no figure of it.
    """
    best, last = board.main[0], board.main[-1]
    drawn = board.leading(MOST_DRAWN)
    range_in_words = (
        f"{len(board.main)} methods from {best.label} at {percent(best.avg_at_k)} % "
        f"to {last.label} at {percent(last.avg_at_k)} %, "
        f"the base at {percent(best.base_avg_at_k)} %."
    )
    hidden = len(board.main) - len(drawn.main)
    told = f" The best {len(drawn.main)} of {len(board.main):,} are drawn." if hidden else ""
    note = f"{told} {without_width(board)}".rstrip()
    curves = curve_rows(board)
    key = _KEY if best.rank is not None else _KEY_WITHOUT_RANKS
    return [
        Figure(
            "intervals",
            "How sure the ranking is",
            f"{key} The dashed line is the base model before training.{note}",
            f"Dots with intervals, best first: {range_in_words} The leaderboard has every "
            f"number.{note}",
            lambda palette: interval_chart(drawn, palette),
            interval_rows(board.rows),
        ),
        Figure(
            "parameters",
            "Does training more parameters buy accuracy?",
            "Each method at its number of trainable parameters. Colours as above; "
            f"{_FRONTIER}{note}",
            f"Scores against trainable parameters on a log scale: {range_in_words}{note}",
            lambda palette: scatter_chart(drawn, (PARAMETERS,), palette, width=840),
            scatter_rows(board, (PARAMETERS,)),
        ),
        Figure(
            "cost",
            "What the accuracy costs",
            "Mean training time of a run, and the largest resident memory of any. "
            f"Up and to the left is better; {_FRONTIER}{note}",
            f"Scores against seconds and memory: {range_in_words}{note}",
            lambda palette: scatter_chart(drawn, (SECONDS, MEMORY), palette, width=375),
            scatter_rows(board, (SECONDS, MEMORY)),
        ),
        Figure(
            "curves",
            "How the reward rose",
            f"Mean reward by training step, averaged over the last {WINDOW} steps; best method "
            "first. Grey: the range of all methods. A band around a line: the range of its seeds."
            f"{told}",
            "A small panel a method with its mean training reward by step; the data beside the "
            "page has every point.",
            lambda palette: curve_chart(curve_rows(drawn), drawn, palette),
            curves,
        ),
        *([_rate_figure(searches)] if searches.rows else []),
    ]


def _rate_figure(searches: Searches) -> Figure:
    return Figure(
        "rates",
        "How each method answers to its learning rate",
        " ".join(searches.notes)
        + " Paler lines are earlier rungs, the blue dot is the rate that was ranked.",
        "A small panel a method: its score by learning rate; the data beside the page has every "
        "point.",
        lambda palette: rate_chart(searches.rows, palette),
        searches.rows,
    )


def confound_figure(confounds: Confounds) -> Figure:
    """Return the figure of what each defect does, on the main bench; there has to be an effect."""
    moved = sum(effect.resolved for effect in confounds.main)
    return Figure(
        "confounds",
        "Was it the set-up?",
        "How far each defect alone moves a method from its fair score, on the same problems and "
        "seeds. Orange diamonds are moved at 5 % after Holm's correction over all of them, grey "
        "squares are not resolved. Bars are 95 % intervals.",
        f"A panel a defect with a dot a method: {moved} of {len(confounds.main)} are moved. The "
        "table beside the page has every number.",
        lambda palette: confound_chart(confounds, palette),
        confound_rows(confounds),
    )


def energy_figure(geometry: Geometry) -> Figure:
    """Return the figure of one run's update among the base's singular directions."""
    run = geometry.run
    return Figure(
        "energy",
        "Where the update lies",
        f"{run.method}, seed {run.seed}, {run.steps} steps: share of the update's energy in the "
        "leading singular directions of the base, mean over all matrices. An update without "
        "preferred directions follows the dashed line.",
        "Cumulative energy of the update, of an isotropic one and of the base, by direction.",
        lambda palette: energy_chart(geometry, palette),
        energy_rows(geometry),
    )


def _specification(chart: Spec, palette: Palette) -> Spec:
    return {**chart, "$schema": SCHEMA, "config": chart_config(palette)}
