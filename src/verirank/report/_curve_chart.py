"""The mean reward of every method over training, a panel each, before the range of them all."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from verirank.report._arms import Arm
from verirank.report._curve import trailing_mean
from verirank.report._palette import (
    STANDINGS,
    Palette,
    panel_title,
    said,
    standing,
    standing_colours,
)
from verirank.report._vega_lite import Spec, layers, mark, quantitative, small_panels, values
from verirank.report.leaderboard import Leaderboard

WINDOW = 5
MOST_POINTS = 150
COLUMNS = 5


def curve_rows(board: Leaderboard) -> list[dict[str, Any]]:
    """Return the chart's data: per method and step the seeds' mean reward and its range.

    Rewards are means over the last `WINDOW` steps of each run.
    """
    order = {row.label: place for place, row in enumerate(board.main)}
    arms = sorted(board.arms, key=lambda arm: order.get(arm.label, len(order)))
    return [row for arm in arms for row in _arm_rows(arm)]


def _arm_rows(arm: Arm) -> list[dict[str, Any]]:
    step_N = np.concatenate([curve.step_T for curve in arm.curves])
    reward_N = np.concatenate([trailing_mean(curve.reward_T, WINDOW) for curve in arm.curves])
    steps, place_N, times = np.unique(step_N, return_inverse=True, return_counts=True)
    mean = np.bincount(place_N, weights=reward_N, minlength=len(steps)) / times
    low, high = np.full(len(steps), np.inf), np.full(len(steps), -np.inf)
    np.minimum.at(low, place_N, reward_N)
    np.maximum.at(high, place_N, reward_N)
    stride = -(-len(steps) // MOST_POINTS) or 1
    shown = set(range(0, len(steps), stride)) | ({len(steps) - 1} if len(steps) else set())
    return [
        {
            "method": arm.label,
            "step": int(steps[at]),
            "reward": round(float(mean[at]), 4),
            "low": round(float(low[at]), 4),
            "high": round(float(high[at]), 4),
        }
        for at in sorted(shown)
    ]


def curve_chart(rows: list[dict[str, Any]], board: Leaderboard, palette: Palette) -> Spec:
    """Draw a small panel a method, best first; grey is the range of all methods."""
    span = _range_of_all(rows)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    colours = dict(zip(STANDINGS, standing_colours(palette), strict=True))
    own = {row.label: colours[standing(row)] for row in board.main}
    panels = [
        _panel(
            [row for row in rows if row["method"] == method],
            palette.rule,
            own.get(method, palette.behind),
            first=place % COLUMNS == 0,
        )
        for place, method in enumerate(methods)
    ]
    return small_panels(panels, COLUMNS, data=values(span))


def _range_of_all(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_step: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        by_step[row["step"]].append(row["reward"])
    return [{"step": s, "low": min(v), "high": max(v)} for s, v in sorted(by_step.items())]


def _panel(rows: list[dict[str, Any]], grey: str, colour: str, *, first: bool) -> Spec:
    x = quantitative("step", title=None, axis={"tickCount": 3, "grid": False})
    y = {
        "title": None,
        "scale": {"domain": [0, 1]},
        "axis": {
            "values": [0, 0.5, 1],
            "domain": False,
            "ticks": False,
            "labelOpacity": int(first),
        },
    }
    low, high, reward = quantitative("low"), {"field": "high"}, quantitative("reward")
    first_row, last_row = rows[0], rows[-1]
    words = said(
        first_row["method"],
        f"mean reward {first_row['reward']:.2f} at step {first_row['step']}, "
        f"{last_row['reward']:.2f} at step {last_row['step']}",
    )
    data, own = values(rows), {"x": x, "description": words}
    return layers(
        mark("area", {"x": x, "y": low | y, "y2": high}, color=grey, opacity=0.9, aria=False),
        mark("area", {**own, "y": low, "y2": high}, data=data, color=colour, opacity=0.3),
        mark("line", {**own, "y": reward}, data=data, color=colour, strokeWidth=1.8),
        width=146,
        height=92,
        title=panel_title(first_row["method"]),
    )
