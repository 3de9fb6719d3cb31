"""Sorted differences a problem, a panel a method, over the band of two equal methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from verirank.report._differences import Difference
from verirank.report._palette import SAID, Palette, described, panel_title
from verirank.report._words import points

COLUMNS = 5
MOST_POINTS = 64


def difference_chart(found: Sequence[Difference], palette: Palette) -> alt.ConcatChart:
    """Draw a panel a method: differences from the most lost to the most won problem.

    A colour says on which side the interval of the mean lies; grey lines hold 0.
    """
    furthest = max(float(np.abs(d.difference_P).max()) for d in found)
    end = 20.0 * max(1.0, np.ceil(5 * furthest))
    panels = [_panel(d, end, palette, first=place % COLUMNS == 0) for place, d in enumerate(found)]
    return alt.concat(*panels, columns=COLUMNS, spacing={"row": 18, "column": 4})


def _panel(d: Difference, end: float, palette: Palette, *, first: bool) -> alt.LayerChart:
    x = alt.X("share:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 100]))
    scale = alt.Scale(domain=[-end, end], nice=False)
    axis = alt.Axis(
        values=[-end / 2, 0, end / 2],
        labelExpr="(datum.value > 0 ? '+' : '') + datum.value",
        domain=False,
        ticks=False,
        labelOpacity=int(first),
    )
    y = alt.Y("low:Q", title=None, scale=scale, axis=axis)
    words = (
        f"{points(d.mean)} points ({points(d.low)} to {points(d.high)}); better on {d.better} and "
        f"worse on {d.worse} of {len(d.problems)} problems, {d.outside} places outside the band"
    )
    chart = alt.Chart(described(_thinned(d), lambda row: words)).encode(x=x, description=SAID)
    layers = [
        chart.mark_area(color=palette.behind, opacity=0.35).encode(y=y, y2="high:Q"),
        chart.mark_line(color=_colour(d, palette), strokeWidth=1.8).encode(y="difference:Q"),
    ]
    beneath = f"{points(d.mean)} ({points(d.low)} to {points(d.high)})"
    title = panel_title(d.label, beneath)
    return alt.LayerChart(layer=layers).properties(width=146, height=116, title=title)


def _colour(d: Difference, palette: Palette) -> str:
    if d.low > 0:
        return palette.best
    return palette.no_gain if d.high < 0 else palette.behind


def _thinned(d: Difference) -> list[dict[str, Any]]:
    last = len(d.problems) - 1
    places = np.unique(np.linspace(0, last, min(last + 1, MOST_POINTS)).round().astype(int))
    return [
        {
            "method": d.label,
            "share": round(100 * int(place) / max(1, last), 2),
            "difference": round(100 * float(d.difference_P[place]), 2),
            "low": round(100 * float(d.low_P[place]), 2),
            "high": round(100 * float(d.high_P[place]), 2),
        }
        for place in places
    ]
