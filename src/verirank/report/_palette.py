"""Colours and type of the charts, as CSS variables on the page and as plain values in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from verirank.report.leaderboard import Row


@dataclass(frozen=True)
class Palette:
    """The colours of a chart; the three of standing are from Okabe and Ito, and grey."""

    ink: str
    muted: str
    rule: str
    best: str
    behind: str
    no_gain: str
    paper: str | None
    font: str


PAGE = Palette(
    ink="var(--ink)",
    muted="var(--muted)",
    rule="var(--rule)",
    best="var(--best)",
    behind="var(--behind)",
    no_gain="var(--no-gain)",
    paper="var(--paper)",
    font='system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
)
"""The page's own variables, so that light, dark and print need no second drawing.

The font is spelt out, because text is measured before it is drawn."""

FILE = Palette(
    ink="#1c2126",
    muted="#667079",
    rule="#e2e5e8",
    best="#0072b2",
    behind="#8b949c",
    no_gain="#d55e00",
    paper="#ffffff",
    font="Helvetica, Arial, sans-serif",
)
"""Plain values on white, for pictures that stand alone."""

STANDINGS: tuple[str, ...] = (
    "level with the best",
    "behind the best",
    "no gain over the base",
    "not ranked",
)
_SHAPES = ("circle", "square", "diamond", "triangle-up")


def standing(row: Row) -> str:
    """Return which of the standings a row has; it is what colour and shape stand for."""
    if row.change_low <= 0:
        return STANDINGS[2]
    if row.rank is None:
        return STANDINGS[3]
    return STANDINGS[0] if row.tied_with_best else STANDINGS[1]


def standing_colours(palette: Palette) -> list[str]:
    """Return the colours of the standings, in their order."""
    return [palette.best, palette.behind, palette.no_gain, palette.behind]


def standing_encodings(rows: Sequence[Row], palette: Palette) -> tuple[alt.Color, alt.Shape]:
    """Return colour and shape by standing; the legend has no ranks where the rows have none."""
    shown = [0, 1, 2] if any(row.rank is not None for row in rows) else [2, 3]
    names, colours = [STANDINGS[i] for i in shown], standing_colours(palette)
    return (
        alt.Color("standing:N", scale=alt.Scale(domain=names, range=[colours[i] for i in shown])),
        alt.Shape("standing:N", scale=alt.Scale(domain=names, range=[_SHAPES[i] for i in shown])),
    )


def score_tooltips() -> list[alt.Tooltip]:
    """Return the score and its interval as a tooltip shows them."""
    titles = {"avg_at_k": "Avg@k, %", "low": "low", "high": "high"}
    return [alt.Tooltip(f"{f}:Q", title=title, format=".1f") for f, title in titles.items()]


def chart_config(palette: Palette) -> dict[str, Any]:
    """Return the Vega-Lite configuration that every chart shares."""
    text = {"labelColor": palette.muted, "titleColor": palette.ink, "titleFontWeight": "normal"}
    lines = {"gridColor": palette.rule, "domainColor": palette.rule, "tickColor": palette.rule}
    return {
        "font": palette.font,
        "background": "transparent" if palette is PAGE else palette.paper,
        "view": {"stroke": None},
        "axis": {**text, **lines, "labelFontSize": 12, "titleFontSize": 12, "titlePadding": 10},
        "title": {
            "color": palette.ink,
            "fontSize": 13,
            "fontWeight": 600,
            "anchor": "start",
            "frame": "group",
        },
        "legend": {
            "labelColor": palette.ink,
            "labelFontSize": 12,
            "title": None,
            "orient": "top",
            "symbolOpacity": 1,
        },
        "text": {"color": palette.ink, "fontSize": 12},
        "concat": {"spacing": 24},
    }
