"""Colours and fonts of the charts, and their adaptation to the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from verirank.ranking import Row
from verirank.report._vega_lite import Spec, nominal, values


@dataclass(frozen=True)
class Palette:
    """The colours of a chart; blue and orange are from Okabe and Ito."""

    ink: str
    muted: str
    rule: str
    best: str
    behind: str
    no_gain: str
    paper: str
    font: str


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
"""Plain values on white, for pictures that stand alone; no two of them are the same."""

_VARIABLES = {
    FILE.ink: "var(--ink)",
    FILE.muted: "var(--muted)",
    FILE.rule: "var(--rule)",
    FILE.best: "var(--best)",
    FILE.behind: "var(--behind)",
    FILE.no_gain: "var(--no-gain)",
    FILE.paper: "var(--paper)",
}

STANDINGS: tuple[str, ...] = ("level with the best", "behind the best", "not ranked")
UNPROVEN_GAIN = "gain not proven"
_NARROWEST = 680
_BROAD = 950
_SMALLEST = 0.8
"""To so many pixels, or of its size, a picture shrinks on a narrow screen; then it scrolls."""
_WIDEST_GLYPH = 7.4
"""Pixels of a character at the size of axis labels, in the widest of usual fonts on average."""
_SHAPES = ("circle", "square", "triangle-up")


def standing(row: Row) -> str:
    """Return a row's standing, which colour and shape encode."""
    if row.rank is None:
        return STANDINGS[2]
    return STANDINGS[0] if row.tied_with_best else STANDINGS[1]


def gain(row: Row) -> str:
    """Return whether the row beat the base, corrected over all methods, in words."""
    return "gained on the base" if row.gained else UNPROVEN_GAIN


def standing_colours(palette: Palette) -> list[str]:
    """Return the colours of the standings, in their order."""
    return [palette.best, palette.behind, palette.behind]


def standing_encodings(rows: Sequence[Row], palette: Palette) -> tuple[Spec, Spec]:
    """Return the colour of an interval and the looks of its dot, hollow where no gain is proven."""
    shown = [0, 1] if any(row.rank is not None for row in rows) else [2]
    names, colours = [STANDINGS[i] for i in shown], standing_colours(palette)
    scale = {"domain": names, "range": [colours[i] for i in shown]}
    shapes = {"domain": names, "range": [_SHAPES[i] for i in shown]}
    hollow = {"test": f"datum.gain == '{UNPROVEN_GAIN}'", "value": palette.paper}
    looks = {
        "fill": nominal("standing", scale=scale, condition=hollow),
        "stroke": nominal("standing", scale=scale, legend=None),
        "shape": nominal("standing", scale=shapes),
    }
    return nominal("standing", scale=scale, legend=None), looks


def described(rows: Sequence[dict[str, Any]], words: Callable[[Any], str]) -> Spec:
    """Return a chart's data with a description in every row, which begins with its method.

    The page shows it as a tooltip.
    """
    return values([{**r, "said": _in_words(r["method"], words(r))} for r in rows])


SAID = nominal("said")
"""Gives a mark the words of its row."""


def said(method: str, words: str) -> Spec:
    """Return what gives the one mark of a method these words, whatever its rows."""
    return {"value": _in_words(method, words)}


def _in_words(method: str, words: str) -> str:
    return f"{method}: {words}"


def names_axis(names: Sequence[str], palette: Palette) -> Spec:
    """Return the vertical axis of arms' names, with room for the longest, none of them cut."""
    gap = 10
    # A page's font may be wider than the one that the picture is measured with.
    width = gap + _WIDEST_GLYPH * max(map(len, names), default=0)
    return {
        "domain": False,
        "ticks": False,
        "labelColor": palette.ink,
        "labelPadding": gap,
        "labelLimit": 0,
        "minExtent": width,
    }


def panel_title(label: str, beneath: str | None = None) -> Spec:
    """Return the title of a small panel: an arm's method, each of its settings in its own line."""
    method, opened, settings = label.partition(" (")
    lines = settings.removesuffix(")").split(", ") if opened else []
    lines += [] if beneath is None else [beneath]
    title = {"text": method, "limit": 140}
    return {**title, "subtitle": lines, "subtitleFontSize": 11} if lines else title


def score_in_words(row: dict[str, Any]) -> str:
    """Return a row's score and its interval."""
    return f"{row['avg_at_k']:.1f} % ({row['low']:.1f} to {row['high']:.1f})"


def for_page(svg: str, name: str) -> str:
    """Return a picture drawn in `FILE` as a page shows it.

    Its colours become the page's CSS variables, so that light, dark and print need no second
    drawing; its paper and font are the page's; and it scales with its place. It is one drawing
    without interactive parts to those who cannot see it: the page has words beside it.

    Args:
        svg: the picture.
        name: makes the ids in it unique on the page.
    """
    svg = re.sub(r'<rect [^>]*fill="' + re.escape(FILE.paper) + r'"[^>]*/>', "", svg, count=1)
    svg = re.sub(r' width="([\d.]+)" height="[\d.]+"', _sized, svg, count=1)
    svg = re.sub(r"#[0-9a-f]{6}\b", lambda match: _VARIABLES.get(match[0], match[0]), svg)
    svg = svg.replace(f' font-family="{FILE.font}"', "")
    return re.sub(r'( id="|url\(#)', rf"\1{name}-", svg)


def is_broad(svg: str) -> bool:
    """Return whether a picture's text would be too small on a tablet."""
    width = re.search(r' width="([\d.]+)"', svg)
    return width is not None and float(width[1]) > _BROAD


def _sized(size: re.Match[str]) -> str:
    """Return the attributes of a picture that is never enlarged, so that its text keeps its size.

    A wide picture shrinks to the page, but not beyond what can be read.
    """
    width = round(float(size[1]))
    style = f"max-width:{width}px;min-width:{round(min(_SMALLEST * width, _NARROWEST))}px"
    return f' aria-hidden="true" style="{style}"'


def chart_config(palette: Palette) -> dict[str, Any]:
    """Return the Vega-Lite configuration that every chart shares."""
    text = {"labelColor": palette.muted, "titleColor": palette.ink, "titleFontWeight": "normal"}
    lines = {"gridColor": palette.rule, "domainColor": palette.rule, "tickColor": palette.rule}
    return {
        "font": palette.font,
        "background": palette.paper,
        # The number beside the outermost mark is within the picture in wider fonts, too.
        "padding": {"left": 5, "top": 5, "right": 16, "bottom": 5},
        "view": {"stroke": None},
        "axis": {**text, **lines, "labelFontSize": 12, "titleFontSize": 12, "titlePadding": 10},
        "title": {
            "color": palette.ink,
            "subtitleColor": palette.muted,
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
            # Where the font is wider than the one that was measured, labels stay apart.
            "columnPadding": 40,
        },
        "text": {"color": palette.ink, "fontSize": 12},
        "concat": {"spacing": 24},
    }
