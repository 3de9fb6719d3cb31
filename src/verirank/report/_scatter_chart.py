"""Accuracy against what it costs: trainable parameters, seconds, memory; labels on the points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import altair as alt

from verirank.report._labels import place_labels
from verirank.report._palette import (
    SAID,
    Palette,
    described,
    score_in_words,
    standing,
    standing_encodings,
)
from verirank.report.leaderboard import Leaderboard, Row

HEIGHT = 380


@dataclass(frozen=True)
class Cost:
    """What is put on the horizontal axis, in which unit, and whether on a log scale."""

    field: str
    title: str
    unit: float
    log: bool
    format: str

    def in_words(self, row: dict[str, Any]) -> str:
        """Return a row's score and this cost of it."""
        value = row[self.field]
        told = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
        return f"{score_in_words(row)}; {self.title.partition(' (')[0]}: {told}"

    def of(self, row: Row) -> float:
        """Return the row's cost in the axis's unit."""
        return getattr(row, self.field) / self.unit


PARAMETERS = Cost(
    "trainable_parameters", "trainable parameters (log scale)", 1, log=True, format="~s"
)
SECONDS = Cost("seconds", "training time, seconds a run", 1, log=False, format="~r")
MEMORY = Cost("peak_memory_bytes", "peak memory, GB", 1e9, log=False, format="~r")


def scatter_rows(board: Leaderboard, costs: tuple[Cost, ...]) -> list[dict[str, Any]]:
    """Return the chart's data: scores on the main bench in percent, the costs, and the frontiers.

    A row is on a cost's frontier if no other scores as high for less, or higher for as much.
    """
    ahead = {cost: _frontier(board.main, cost) for cost in costs}
    return [
        {
            "method": row.label,
            "standing": standing(row),
            "avg_at_k": round(100 * row.avg_at_k, 4),
            "low": round(100 * row.low, 4),
            "high": round(100 * row.high, 4),
            **{cost.field: cost.of(row) for cost in costs},
            **{f"{cost.field}_frontier": row.label in ahead[cost] for cost in costs},
        }
        for row in board.main
    ]


def _frontier(rows: list[Row], cost: Cost) -> set[str]:
    found, best = set[str](), -1.0
    for row in sorted(rows, key=lambda row: (cost.of(row), -row.avg_at_k)):
        if row.avg_at_k > best:
            best = row.avg_at_k
            found.add(row.label)
    return found


def scatter_chart(
    board: Leaderboard, costs: tuple[Cost, ...], palette: Palette, width: int
) -> alt.HConcatChart:
    """Draw a panel a cost, each with the score on the main bench going up."""
    return alt.hconcat(*[_panel(board, cost, palette, width) for cost in costs])


def _panel(board: Leaderboard, cost: Cost, palette: Palette, width: int) -> alt.LayerChart:
    rows = scatter_rows(board, (cost,))
    x_domain = _domain([row[cost.field] for row in rows], cost.log)
    base = 100 * sum(row.base_avg_at_k for row in board.main) / len(rows)
    scores = [base] + [row["low"] for row in rows] + [row["high"] for row in rows]
    y_domain = (
        max(0.0, 5 * math.floor(min(scores) / 5)),
        min(100.0, 5 * math.ceil(max(scores) / 5)),
    )
    labels = _labels(rows, cost, x_domain, y_domain, width)
    data = [{**row, **label} for row, label in zip(rows, labels, strict=True)]
    main = board.main[0]
    x = alt.X(
        f"{cost.field}:Q",
        title=cost.title,
        scale=alt.Scale(type="log" if cost.log else "linear", domain=list(x_domain), nice=False),
        axis=alt.Axis(format=cost.format, grid=False, tickCount=6),
    )
    y = {
        "title": f"Avg@{main.k} {main.on}, %",
        "scale": alt.Scale(domain=list(y_domain), nice=False, zero=False),
        "axis": alt.Axis(tickCount=6, domain=False, ticks=False),
    }
    chart = alt.Chart(described(data, cost.in_words)).encode(x=x, description=SAID)
    colour, shape = standing_encodings(board.main, palette)
    interval = chart.mark_rule(strokeWidth=1.5, opacity=0.3).encode(
        y=alt.Y("low:Q", **y), y2="high:Q", color=colour
    )
    leader = chart.mark_rule(strokeWidth=0.75, color=palette.muted, opacity=0.7).encode(
        y=alt.Y("avg_at_k:Q", **y), x2="label_x:Q", y2="label_y:Q"
    )
    dot = chart.mark_point(filled=True, size=80, opacity=1).encode(
        y=alt.Y("avg_at_k:Q", **y),
        color=colour,
        shape=shape,
    )
    reached = [row for row in data if row[f"{cost.field}_frontier"]]
    frontier = (
        alt.Chart(alt.InlineData(values=reached))
        .mark_line(interpolate="step-after", color=palette.best, strokeWidth=1.2, opacity=0.5)
        .encode(x=x, y=alt.Y("avg_at_k:Q", **y))
    )
    layers = (_base_line(base, palette), frontier, interval, leader, dot, _names(data, palette))
    return alt.LayerChart(layer=list(layers)).properties(width=width, height=HEIGHT)


def _base_line(base: float, palette: Palette) -> alt.LayerChart:
    data = alt.InlineData(values=[{"base": base, "text": f"base {base:.1f}"}])
    line = alt.Chart(data).mark_rule(strokeDash=[4, 4], color=palette.muted).encode(y="base:Q")
    text = (
        alt.Chart(data)
        .mark_text(align="right", dy=-6, fontSize=11, color=palette.muted)
        .encode(x=alt.value("width"), y="base:Q", text="text:N")
    )
    return alt.LayerChart(layer=[line, text])


def _names(data: list[dict[str, Any]], palette: Palette) -> alt.LayerChart:
    sides = [
        alt.Chart(alt.InlineData(values=[d for d in data if d["side"] == side]))
        .mark_text(align=side, dx=3 if side == "left" else -3, color=palette.ink)
        .encode(x="label_x:Q", y="label_y:Q", text="method:N")
        for side in ("left", "right")
    ]
    return alt.LayerChart(layer=list(sides))


def _domain(values: list[float], log: bool) -> tuple[float, float]:
    """Return the axis's ends, with a margin so that no point lies on the frame."""
    if log:
        return min(values) / 1.6, max(values) * 1.6
    margin = 0.06 * (max(values) - min(values)) or 0.05 * max(values) or 1.0
    return max(0.0, min(values) - margin), max(values) + margin


def _labels(
    rows: list[dict[str, Any]],
    cost: Cost,
    x_domain: tuple[float, float],
    y_domain: tuple[float, float],
    width: int,
) -> list[dict[str, Any]]:
    warp = math.log if cost.log else float
    unwarp = math.exp if cost.log else float
    left, right = (warp(end) for end in x_domain)
    bottom, top = y_domain
    points = [
        (
            row["method"],
            (warp(row[cost.field]) - left) / (right - left) * width,
            (top - row["avg_at_k"]) / (top - bottom) * HEIGHT,
        )
        for row in rows
    ]
    return [
        {
            "label_x": unwarp(left + label.x / width * (right - left)),
            "label_y": top - label.y / HEIGHT * (top - bottom),
            "side": "left" if label.to_the_right else "right",
        }
        for label in place_labels(points, width, HEIGHT)
    ]
