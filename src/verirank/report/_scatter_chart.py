"""Accuracy against what it costs: trainable parameters, seconds, memory; labels on the points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from verirank.report._labels import place_labels
from verirank.report._palette import (
    SAID,
    Palette,
    described,
    score_in_words,
    standing,
    standing_encodings,
)
from verirank.report._vega_lite import Spec, layers, mark, nominal, quantitative, values
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
) -> Spec:
    """Draw a panel a cost, each with the score on the main bench going up."""
    return {"hconcat": [_panel(board, cost, palette, width) for cost in costs]}


def _panel(board: Leaderboard, cost: Cost, palette: Palette, width: int) -> Spec:
    rows = scatter_rows(board, (cost,))
    x_domain = _domain([row[cost.field] for row in rows], cost.log)
    base = 100 * sum(row.base_avg_at_k for row in board.main) / len(rows)
    scores = [base] + [row["low"] for row in rows] + [row["high"] for row in rows]
    # At least 5 points high: where every sample is wrong, or right, there is no interval.
    bottom = min(95.0, max(0.0, 5 * math.floor(min(scores) / 5)))
    y_domain = bottom, max(bottom + 5, min(100.0, 5 * math.ceil(max(scores) / 5)))
    labels = _labels(rows, cost, x_domain, y_domain, width)
    data = [{**row, **label} for row, label in zip(rows, labels, strict=True)]
    main = board.main[0]
    x = quantitative(
        cost.field,
        title=cost.title,
        scale={"type": "log" if cost.log else "linear", "domain": x_domain, "nice": False},
        axis={"format": cost.format, "grid": False, "tickCount": 6},
    )
    y = {
        "title": f"Avg@{main.k} {main.on}, %",
        "scale": {"domain": y_domain, "nice": False, "zero": False},
        "axis": {"tickCount": 6, "domain": False, "ticks": False},
    }
    low, score = quantitative("low", **y), quantitative("avg_at_k", **y)
    each = {"x": x, "description": SAID}
    colour, shape = standing_encodings(board.main, palette)
    reached = values([row for row in data if row[f"{cost.field}_frontier"]])
    frontier = mark(
        "line",
        {"x": x, "y": score},
        data=reached,
        interpolate="step-after",
        color=palette.best,
        strokeWidth=1.2,
        opacity=0.5,
    )
    interval = mark(
        "rule",
        {**each, "y": low, "y2": {"field": "high"}, "color": colour},
        strokeWidth=1.5,
        opacity=0.3,
    )
    leader = mark(
        "rule",
        {**each, "y": score, "x2": {"field": "label_x"}, "y2": {"field": "label_y"}},
        strokeWidth=0.75,
        color=palette.muted,
        opacity=0.7,
    )
    dot = mark(
        "point",
        {**each, "y": score, "color": colour, "shape": shape},
        filled=True,
        size=80,
        opacity=1,
    )
    return layers(
        _base_line(base, palette),
        frontier,
        interval,
        leader,
        dot,
        _names(data, palette),
        data=described(data, cost.in_words),
        width=width,
        height=HEIGHT,
    )


def _base_line(base: float, palette: Palette) -> Spec:
    data = values([{"base": base, "text": f"base {base:.1f}"}])
    y = quantitative("base")
    line = mark("rule", {"y": y}, strokeDash=[4, 4], color=palette.muted)
    text = mark(
        "text",
        {"x": {"value": "width"}, "y": y, "text": nominal("text")},
        align="right",
        dy=-6,
        fontSize=11,
        color=palette.muted,
    )
    return layers(line, text, data=data)


def _names(data: list[dict[str, Any]], palette: Palette) -> Spec:
    at = {"x": quantitative("label_x"), "y": quantitative("label_y"), "text": nominal("method")}
    sides = [
        mark(
            "text",
            at,
            data=values([d for d in data if d["side"] == side]),
            align=side,
            dx=3 if side == "left" else -3,
            color=palette.ink,
        )
        for side in ("left", "right")
    ]
    return layers(*sides)


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
