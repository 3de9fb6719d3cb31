"""Sorted differences a problem, a panel a method, over the band of two equal methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verirank.ranking import Difference, points
from verirank.report._layout import Layout
from verirank.report._palette import Palette, panel_title, said
from verirank.report._vega_lite import Spec, layers, mark, quantitative, small_panels, values

MOST_POINTS = 64


def difference_chart(pairs: Sequence[Difference], palette: Palette, layout: Layout) -> Spec:
    """Draw a panel a method: differences from the most lost to the most won problem.

    A colour says on which side the interval of the mean lies; grey lines hold 0.
    """
    furthest = max(float(np.abs(d.difference_P).max()) for d in pairs)
    end = 20.0 * max(1.0, np.ceil(5 * furthest))
    panels = [
        _panel(d, end, palette, first=index % layout.columns == 0) for index, d in enumerate(pairs)
    ]
    return small_panels(panels, layout.columns)


def _panel(d: Difference, end: float, palette: Palette, *, first: bool) -> Spec:
    x = quantitative("share", title=None, axis=None, scale={"domain": [0, 100]})
    axis = {
        "values": [-end / 2, 0, end / 2],
        "labelExpr": "(datum.value > 0 ? '+' : '') + datum.value",
        "domain": False,
        "ticks": False,
        "labelOpacity": int(first),
    }
    scale = {"domain": [-end, end], "nice": False}
    low = quantitative("low", title=None, scale=scale, axis=axis)
    words = said(
        d.label,
        f"{points(d.mean)} points ({points(d.low)} to {points(d.high)}); better on {d.better} and "
        f"worse on {d.worse} of {len(d.problems)} problems, {d.outside} of them outside the band",
    )
    own = {"x": x, "description": words}
    band = {**own, "y": low, "y2": {"field": "high"}}
    line = {**own, "y": quantitative("difference")}
    return layers(
        mark("area", band, color=palette.behind, opacity=0.35),
        mark("line", line, color=_colour(d, palette), strokeWidth=1.8),
        data=values(_thinned(d)),
        width=146,
        height=116,
        title=panel_title(d.label, f"{points(d.mean)} ({points(d.low)} to {points(d.high)})"),
    )


def _colour(d: Difference, palette: Palette) -> str:
    if d.low > 0:
        return palette.best
    return palette.no_gain if d.high < 0 else palette.behind


def _thinned(d: Difference) -> list[dict[str, Any]]:
    last = len(d.problems) - 1
    positions = np.unique(np.linspace(0, last, min(last + 1, MOST_POINTS)).round().astype(int))
    return [
        {
            "method": d.label,
            "share": round(100 * int(position) / max(1, last), 2),
            "difference": round(100 * float(d.difference_P[position]), 2),
            "low": round(100 * float(d.low_P[position]), 2),
            "high": round(100 * float(d.high_P[position]), 2),
        }
        for position in positions
    ]
