"""Accuracy against what it costs: trainable parameters, seconds, memory; labels on the points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from verirank.ranking import Leaderboard, Row, pareto_frontier
from verirank.report._labels import place_labels
from verirank.report._palette import (
    FEW,
    NARROW_PLOT,
    SAID,
    Palette,
    described,
    gain,
    score_in_words,
    standing,
    standing_encodings,
)
from verirank.report._vega_lite import Spec, layers, mark, nominal, quantitative, values

HEIGHT = 380
_HEIGHT_OF_FEW = 250
MOST_NAMED = 16
"""Points up to which each has a label; more labels could not be placed without overlaps."""
_NAMED_OF_MANY = 8
_LONGEST_NAME = 24
"""Characters of a label, which fits on one side of any point of the narrowest panel."""


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
        text = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
        return f"{score_in_words(row)}; {self.title.partition(' (')[0]}: {text}"

    def of(self, row: Row) -> float:
        """Return the row's cost in the axis's unit."""
        return getattr(row, self.field) / self.unit


PARAMETERS = Cost(
    "trainable_parameters", "trainable parameters (log scale)", 1, log=True, format="~s"
)
SECONDS = Cost("seconds", "training time, seconds a run", 1, log=False, format="~r")
MEMORY = Cost("peak_memory_bytes", "peak memory, GB", 1e9, log=False, format="~r")


def scatter_rows(board: Leaderboard, costs: tuple[Cost, ...]) -> list[dict[str, Any]]:
    """Return the chart's data: scores on the main bench in percent, costs, and frontiers."""
    frontiers = {cost: pareto_frontier(board.main, cost.of) for cost in costs}
    return [
        {
            "method": row.label,
            "standing": standing(row),
            "gain": gain(row),
            "avg_at_k": round(100 * row.avg_at_k, 4),
            "low": round(100 * row.low, 4),
            "high": round(100 * row.high, 4),
            **{cost.field: cost.of(row) for cost in costs},
            **{f"{cost.field}_frontier": row.label in frontiers[cost] for cost in costs},
        }
        for row in board.main
    ]


def scatter_chart(
    board: Leaderboard, costs: tuple[Cost, ...], palette: Palette, width: int
) -> Spec:
    """Draw a panel a cost, each with the score on the main bench going up.

    Of few arms, panels are small and stand below each other.
    """
    few = len(board.main) <= FEW
    size = (NARROW_PLOT, _HEIGHT_OF_FEW) if few else (width, HEIGHT)
    panels = [_panel(board, cost, palette, *size) for cost in costs]
    return {"vconcat" if few else "hconcat": panels}


def _panel(board: Leaderboard, cost: Cost, palette: Palette, width: int, height: int) -> Spec:
    rows = scatter_rows(board, (cost,))
    x_domain = _domain([row[cost.field] for row in rows], cost.log)
    base = 100 * sum(row.base_avg_at_k for row in board.main) / len(rows)
    y_domain = _score_domain(rows, base)
    named = _named(rows, cost)
    labels = _labels(named, cost, x_domain, y_domain, width, height)
    placed = [{**row, **label} for row, label in zip(named, labels, strict=True)]
    main = board.main[0]
    x = quantitative(
        cost.field,
        title=cost.title,
        scale={"type": "log" if cost.log else "linear", "domain": x_domain, "nice": False},
        axis={"format": cost.format, "grid": False, "tickCount": min(6, width // 60)},
    )
    y = {
        "title": f"Avg@{main.k} {main.on}, %",
        "scale": {"domain": y_domain, "nice": False, "zero": False},
        "axis": {"tickCount": 6, "domain": False, "ticks": False},
    }
    low, score = quantitative("low", **y), quantitative("avg_at_k", **y)
    each = {"x": x, "description": SAID}
    colour, looks = standing_encodings(board.main, palette)
    ahead = [row for row in rows if row[f"{cost.field}_frontier"]]
    # One method that beats all others for less leaves no frontier to draw.
    reached = values(ahead if len(ahead) > 1 else [])
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
        data=described(placed, cost.in_words),
        strokeWidth=0.75,
        color=palette.muted,
        opacity=0.7,
    )
    dot = mark(
        "point",
        {**each, "y": score, **looks},
        filled=True,
        size=80,
        opacity=1,
    )
    return layers(
        _base_line(base, y_domain[0], palette),
        frontier,
        interval,
        leader,
        dot,
        _names(placed, palette),
        data=described(rows, cost.in_words),
        width=width,
        height=height,
    )


def _named(rows: list[dict[str, Any]], cost: Cost) -> list[dict[str, Any]]:
    """Return the rows that have labels: all where they are few, else the frontier and the best."""
    if len(rows) <= MOST_NAMED:
        return rows
    return sorted(rows, key=lambda row: not row[f"{cost.field}_frontier"])[:_NAMED_OF_MANY]


def _shortened(name: str) -> str:
    """Return a name that fits beside a point."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _base_line(base: float, bottom: float, palette: Palette) -> Spec:
    below = base < bottom
    text = f"base {base:.1f}, below this axis" if below else f"base {base:.1f}"
    data = values([{"base": max(base, bottom), "text": text}])
    y = quantitative("base")
    line = mark("rule", {"y": y}, strokeDash=[4, 4], color=palette.muted, opacity=0 if below else 1)
    words = mark(
        "text",
        {"x": {"value": "width"}, "y": y, "text": nominal("text")},
        align="right",
        dy=-6,
        fontSize=11,
        color=palette.muted,
    )
    return layers(line, words, data=data)


def _names(data: list[dict[str, Any]], palette: Palette) -> Spec:
    at = {"x": quantitative("label_x"), "y": quantitative("label_y"), "text": nominal("name")}
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


def _score_domain(rows: list[dict[str, Any]], base: float) -> tuple[float, float]:
    """Return the ends of the score's axis; a base far below the scores stays out of it."""
    least, most = min(row["low"] for row in rows), max(row["high"] for row in rows)
    if base >= least - (most - least) / 2:
        least, most = min(least, base), max(most, base)
    # At least 5 points high: where every sample is wrong, or right, there is no interval.
    bottom = min(95.0, max(0.0, 5 * math.floor(least / 5)))
    return bottom, max(bottom + 5, min(100.0, 5 * math.ceil(most / 5)))


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
    height: int,
) -> list[dict[str, Any]]:
    warp = math.log if cost.log else float
    unwarp = math.exp if cost.log else float
    left, right = (warp(end) for end in x_domain)
    bottom, top = y_domain
    names = [_shortened(row["method"]) for row in rows]
    points = [
        (
            name,
            (warp(row[cost.field]) - left) / (right - left) * width,
            (top - row["avg_at_k"]) / (top - bottom) * height,
        )
        for name, row in zip(names, rows, strict=True)
    ]
    return [
        {
            "name": label.text,
            "label_x": unwarp(left + label.x / width * (right - left)),
            "label_y": top - label.y / height * (top - bottom),
            "side": "left" if label.to_the_right else "right",
        }
        for label in place_labels(points, width, height)
    ]
