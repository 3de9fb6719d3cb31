"""The report's figures: each a chart, a text alternative and its data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verirank.ranking import (
    REWARD_WINDOW,
    Confounds,
    Leaderboard,
    Searches,
    percent,
    reward_curves,
    selection_curves,
)
from verirank.record import write_csv, write_file
from verirank.report._artist import Artist
from verirank.report._confound_chart import confound_chart, confound_rows
from verirank.report._curve_chart import curve_chart, curve_rows
from verirank.report._energy_chart import energy_chart, energy_rows
from verirank.report._interval_chart import interval_chart, interval_rows
from verirank.report._layout import FEW, NARROW, WIDE, Layout
from verirank.report._palette import FILE, Palette, chart_config
from verirank.report._rate_chart import rate_chart
from verirank.report._scatter_chart import (
    MEMORY,
    PARAMETERS,
    SECONDS,
    scatter_chart,
    scatter_rows,
)
from verirank.report._vega_lite import SCHEMA, Spec

if TYPE_CHECKING:
    from verirank.geometry import Geometry

_KEY = (
    "Blue dots are not significantly behind the best, grey squares are. A hollow mark: its gain "
    "over the base is not proven. Bars are 95 % intervals."
)
_KEY_WITHOUT_RANKS = (
    "The methods share no training seed and are not ranked. A hollow mark: its gain over the base "
    "is not proven. Bars are 95 % intervals."
)
_FRONTIER = (
    "A line joins the methods that no other beats at a lower cost (the Pareto frontier); there is "
    "none where one method is both best and cheapest."
)

MOST_DRAWN = 40
"""Methods in one chart; its data file has all of them."""


@dataclass(frozen=True)
class Figure:
    """One figure: what draws its chart in a palette and a layout, and its data, `rows`.

    `alternative` is its text alternative.
    """

    name: str
    title: str
    caption: str
    alternative: str
    draw: Callable[[Palette, Layout], Spec]
    rows: list[dict[str, Any]]

    def specification(self, palette: Palette, layout: Layout = WIDE) -> Spec:
        """Return the Vega-Lite specification."""
        return _specification(self.draw(palette, layout), palette)

    def drawn(self, artist: Artist) -> Future[str]:
        """Return the figure's future SVG, on white."""
        return artist.draw(self.specification(FILE))

    def drawn_narrow(self, artist: Artist) -> Future[str] | None:
        """Return the same for a phone; None where it would be the same picture."""
        narrow = self.specification(FILE, NARROW)
        return None if narrow == self.specification(FILE) else artist.draw(narrow)

    def write(self, folder: Path, svg: str) -> None:
        """Write NAME.svg, the same as NAME.pdf, and the data as NAME.csv."""
        from vl_convert import svg_to_pdf

        write_file(folder / f"{self.name}.svg", svg)
        write_file(folder / f"{self.name}.pdf", svg_to_pdf(svg))
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
    note = f" The best {len(drawn.main)} of {len(board.main):,} are drawn." if hidden else ""
    unnamed = "" if len(drawn.main) <= FEW else " Point at a mark to see its name."
    curves = curve_rows(reward_curves(board), "reward")
    key = _KEY if best.rank is not None else _KEY_WITHOUT_RANKS
    return [
        Figure(
            "intervals",
            "How sure the ranking is",
            f"{key} The dashed line is the base model before training.{note}",
            f"Dots with intervals, best first: {range_in_words} The leaderboard has every "
            f"number.{note}",
            lambda palette, layout: interval_chart(drawn, palette, layout),
            interval_rows(board.rows),
        ),
        Figure(
            "parameters",
            "Does training more parameters buy accuracy?",
            "Each method at its number of trainable parameters. Marks as above. "
            f"{_FRONTIER}{unnamed}{note}",
            f"Scores against trainable parameters on a log scale: {range_in_words}{note}",
            lambda palette, layout: scatter_chart(drawn, (PARAMETERS,), palette, layout),
            scatter_rows(board, (PARAMETERS,)),
        ),
        Figure(
            "cost",
            "What the accuracy costs",
            "Mean training time of a run, and the largest resident memory of any. "
            f"Up and to the left is better. {_FRONTIER}{unnamed}{note}",
            f"Scores against seconds and memory: {range_in_words}{note}",
            lambda palette, layout: scatter_chart(drawn, (SECONDS, MEMORY), palette, layout),
            scatter_rows(board, (SECONDS, MEMORY)),
        ),
        Figure(
            "curves",
            "How the reward rose",
            f"Mean reward by training step, averaged over the last {REWARD_WINDOW} steps; best "
            "method first. Grey: the range of all methods. A band around a line: the range of its "
            f"seeds.{note}",
            "A small panel a method with its mean training reward by step; the data beside the "
            "page has every point.",
            lambda palette, layout: curve_chart(
                curve_rows(reward_curves(drawn), "reward"), "reward", drawn, palette, layout
            ),
            curves,
        ),
        *_selection_figures(board, drawn, note),
        *([_rate_figure(searches)] if searches.rows else []),
    ]


def _selection_figures(board: Leaderboard, drawn: Leaderboard, note: str) -> list[Figure]:
    """Return the figure of the scores during training; none where no run took any."""
    if not (curves := selection_curves(board)):
        return []
    return [
        Figure(
            "selection",
            "How the score rose",
            "Avg@k on the selection problems by training step, where `evaluation.every` had them "
            "sampled; best method first. They are no problems of the ranking. Grey: the range of "
            f"all methods. A band around a line: the range of its seeds.{note}",
            "A small panel a method with its score by step; the data beside the page has every "
            "point.",
            lambda palette, layout: curve_chart(
                curve_rows(selection_curves(drawn), "score"), "score", drawn, palette, layout
            ),
            curve_rows(curves, "score"),
        )
    ]


def _rate_figure(searches: Searches) -> Figure:
    return Figure(
        "rates",
        "How each method depends on its learning rate",
        " ".join(searches.notes)
        + " Paler lines are earlier rungs, the blue dot is the rate that was ranked.",
        "A small panel a method: its score by learning rate; the data beside the page has every "
        "point.",
        lambda palette, layout: rate_chart(searches.rows, palette, layout),
        searches.rows,
    )


def confound_figure(confounds: Confounds) -> Figure:
    """Return the figure of what each defect does, on the main bench; there has to be an effect."""
    moved = sum(effect.resolved for effect in confounds.main)
    return Figure(
        "confounds",
        "What each defect changes",
        "The change in a method's score that each defect alone causes, on the same problems and "
        "seeds. Orange diamonds: significant at 5 % after Holm's correction over all; grey "
        "squares: not significant. Bars are 95 % intervals.",
        f"A panel a defect with a dot a method: {moved} of {len(confounds.main)} are moved. The "
        "table beside the page has every number.",
        lambda palette, layout: confound_chart(confounds, palette, layout),
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
        lambda palette, layout: energy_chart(geometry, palette),
        energy_rows(geometry),
    )


def _specification(chart: Spec, palette: Palette) -> Spec:
    return {**chart, "$schema": SCHEMA, "config": chart_config(palette)}
