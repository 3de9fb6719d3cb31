"""A measure of every method over training, a panel each, before the range of them all."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from verirank.ranking import ArmCurve, Leaderboard
from verirank.report._layout import Layout
from verirank.report._palette import (
    STANDINGS,
    Palette,
    panel_title,
    said,
    standing,
    standing_colours,
)
from verirank.report._vega_lite import Spec, layers, mark, quantitative, small_panels, values

MOST_POINTS = 150


def curve_rows(curves: list[ArmCurve], measure: str) -> list[dict[str, Any]]:
    """Return the chart's data: a measure's mean and its range over seeds, by method and step."""
    return [row for curve in curves for row in _thinned(curve, measure)]


def _thinned(curve: ArmCurve, measure: str) -> list[dict[str, Any]]:
    """Return at most about `MOST_POINTS` evenly spaced steps of a curve, the last one included."""
    steps = len(curve.step_T)
    stride = -(-steps // MOST_POINTS) or 1
    shown = sorted({*range(0, steps, stride), *range(steps)[-1:]})
    return [
        {
            "method": curve.label,
            "step": int(curve.step_T[index]),
            measure: round(float(curve.mean_T[index]), 4),
            "low": round(float(curve.low_T[index]), 4),
            "high": round(float(curve.high_T[index]), 4),
        }
        for index in shown
    ]


def curve_chart(
    rows: list[dict[str, Any]],
    measure: str,
    board: Leaderboard,
    palette: Palette,
    layout: Layout,
) -> Spec:
    """Draw a small panel a method, best first; grey is the range of all methods."""
    span = _range_of_all(rows, measure)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    colours = dict(zip(STANDINGS, standing_colours(palette), strict=True))
    own = {row.label: colours[standing(row)] for row in board.main}
    top = np.ceil(10 * max((row["high"] for row in rows), default=1.0)) / 10 or 1.0
    panels = [
        _panel(
            [row for row in rows if row["method"] == method],
            measure,
            palette.rule,
            own.get(method, palette.behind),
            top=float(top),
            first=index % layout.columns == 0,
        )
        for index, method in enumerate(methods)
    ]
    return small_panels(panels, layout.columns, data=values(span))


def _range_of_all(rows: list[dict[str, Any]], measure: str) -> list[dict[str, Any]]:
    by_step: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        by_step[row["step"]].append(row[measure])
    return [{"step": s, "low": min(v), "high": max(v)} for s, v in sorted(by_step.items())]


def _panel(
    rows: list[dict[str, Any]], measure: str, grey: str, colour: str, *, top: float, first: bool
) -> Spec:
    x = quantitative("step", title=None, axis={"tickCount": 3, "grid": False})
    y = {
        "title": None,
        "scale": {"domain": [0, top]},
        "axis": {
            "values": [0, top / 2, top],
            "domain": False,
            "ticks": False,
            "labelOpacity": int(first),
        },
    }
    low, high, mean = quantitative("low"), {"field": "high"}, quantitative(measure)
    first_row, last_row = rows[0], rows[-1]
    words = said(
        first_row["method"],
        f"mean {measure} {first_row[measure]:.2f} at step {first_row['step']}, "
        f"{last_row[measure]:.2f} at step {last_row['step']}",
    )
    data, own = values(rows), {"x": x, "description": words}
    return layers(
        mark("area", {"x": x, "y": low | y, "y2": high}, color=grey, opacity=0.9, aria=False),
        mark("area", {**own, "y": low, "y2": high}, data=data, color=colour, opacity=0.3),
        mark("line", {**own, "y": mean}, data=data, color=colour, strokeWidth=1.8),
        width=146,
        height=92,
        title=panel_title(first_row["method"]),
    )
