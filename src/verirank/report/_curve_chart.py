"""The mean reward of every method over training, a panel each, before the range of them all."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import altair as alt
import numpy as np

from verirank.report._arms import Arm
from verirank.report._curve import trailing_mean
from verirank.report._palette import (
    SAID,
    STANDINGS,
    Palette,
    described,
    panel_title,
    standing,
    standing_colours,
)
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


def curve_chart(
    rows: list[dict[str, Any]], board: Leaderboard, palette: Palette
) -> alt.ConcatChart:
    """Draw a small panel a method, best first; grey is the range of all methods."""
    span = _range_of_all(rows)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    colours = dict(zip(STANDINGS, standing_colours(palette), strict=True))
    own = {row.label: colours[standing(row)] for row in board.main}
    panels = [
        _panel(
            [row for row in rows if row["method"] == method],
            span,
            palette.rule,
            own.get(method, palette.behind),
            first=place % COLUMNS == 0,
        ).properties(width=146, height=92, title=panel_title(method))
        for place, method in enumerate(methods)
    ]
    return alt.concat(*panels, columns=COLUMNS, spacing={"row": 18, "column": 4})


def _range_of_all(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_step: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        by_step[row["step"]].append(row["reward"])
    return [{"step": s, "low": min(v), "high": max(v)} for s, v in sorted(by_step.items())]


def _panel(
    rows: list[dict[str, Any]],
    span: list[dict[str, Any]],
    grey: str,
    colour: str,
    *,
    first: bool,
) -> alt.LayerChart:
    x = alt.X("step:Q", title=None, axis=alt.Axis(tickCount=3, grid=False))
    y = alt.Y(
        "low:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(values=[0, 0.5, 1], domain=False, ticks=False, labelOpacity=int(first)),
    )
    everyone = alt.Chart(alt.InlineData(values=span)).mark_area(color=grey, opacity=0.9, aria=False)
    first_row, last_row = rows[0], rows[-1]
    words = (
        f"mean reward {first_row['reward']:.2f} at step {first_row['step']}, "
        f"{last_row['reward']:.2f} at step {last_row['step']}"
    )
    own = alt.Chart(described(rows, lambda row: words)).encode(description=SAID)
    layers = [
        everyone.encode(x=x, y=y, y2="high:Q"),
        own.mark_area(color=colour, opacity=0.3).encode(x=x, y="low:Q", y2="high:Q"),
        own.mark_line(color=colour, strokeWidth=1.8).encode(x=x, y="reward:Q"),
    ]
    return alt.LayerChart(layer=layers)
