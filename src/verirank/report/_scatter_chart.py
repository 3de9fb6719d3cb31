"""Accuracy against what it costs: trainable parameters, seconds, memory; labels on the points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from verirank.ranking import Leaderboard, Row, pareto_frontier
from verirank.report._labels import place_labels
from verirank.report._layout import FEW, Layout, layout_for
from verirank.report._palette import (
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
_HEIGHTS_IF_NARROW = {True: 250, False: 320}
"""Of few arms, and of more."""
_AXIS = 45
"""Pixels beside a panel for its scores."""
MOST_NAMED = 16
"""Points up to which each has a label; more labels could not be placed without overlaps."""
_NAMED_OF_MANY = 8
_BASE_GLYPH = 6
"""Pixels of a character of the words about the base."""
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
    board: Leaderboard, costs: tuple[Cost, ...], palette: Palette, layout: Layout
) -> Spec:
    """Draw a panel a cost, each with the score on the main bench going up.

    Of few arms, and where the room is narrow, panels are small and stand below each other.
    """
    layout = layout_for(len(board.main), layout)
    if layout.is_narrow:
        size = (layout.plot, _HEIGHTS_IF_NARROW[len(board.main) <= FEW])
    else:
        size = (layout.plot // len(costs) - _AXIS * (len(costs) - 1), HEIGHT)
    panels = [_panel(board, cost, palette, *size) for cost in costs]
    return {"vconcat" if layout.is_narrow else "hconcat": panels}


def _panel(board: Leaderboard, cost: Cost, palette: Palette, width: int, height: int) -> Spec:
    rows = scatter_rows(board, (cost,))
    x_domain = _domain([row[cost.field] for row in rows], cost.log)
    base = 100 * sum(row.base_avg_at_k for row in board.main) / len(rows)
    y_domain = _score_domain(rows, base)
    rows = _inside(rows, y_domain[0])
    frame = _Frame(cost, x_domain, y_domain, width, height)
    placed = _labelled(rows, frame, base)
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
    low, score = quantitative("from", **y), quantitative("at", **y)
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
        {**each, "y": low, "y2": {"field": "to"}, "color": colour},
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


def _inside(rows: list[dict[str, Any]], bottom: float) -> list[dict[str, Any]]:
    """Return the rows with where they are drawn; one below the axis stands on its end."""
    at = {"at": "avg_at_k", "from": "low", "to": "high"}
    return [row | {drawn: max(bottom, row[true]) for drawn, true in at.items()} for row in rows]


def _ordered_to_name(rows: list[dict[str, Any]], cost: Cost) -> list[dict[str, Any]]:
    """Return the rows that may have labels, those that need one first.

    All may where they are few; of many those below the axis, the frontier and the best.
    """
    ordered = sorted(
        rows, key=lambda row: (row["at"] == row["avg_at_k"], not row[f"{cost.field}_frontier"])
    )
    return ordered if len(rows) <= MOST_NAMED else ordered[:_NAMED_OF_MANY]


def _label_of(row: dict[str, Any]) -> str:
    """Return a name that fits beside a point, with the score of one that stands below the axis."""
    name = row["method"].replace("learning_rate", "lr")
    name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    return name if row["at"] == row["avg_at_k"] else f"{name} {row['avg_at_k']:.1f} ↓"


def _base_words(base: float, bottom: float) -> str:
    below = ", below this axis" if base < bottom else ""
    return f"base {base:.1f}{below}"


def _base_line(base: float, bottom: float, palette: Palette) -> Spec:
    below = base < bottom
    data = values([{"base": max(base, bottom), "text": _base_words(base, bottom)}])
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
    """Return the ends of the score's axis.

    A base far below the scores stays out of it, and so do few arms that would leave the others less
    than half of the axis.
    """
    kept = _near_the_best(rows)
    least, most = min(row["low"] for row in kept), max(row["high"] for row in kept)
    if base >= least - (most - least) / 2:
        least, most = min(least, base), max(most, base)
    # At least 5 points high: where every sample is wrong, or right, there is no interval.
    bottom = min(95.0, max(0.0, 5 * math.floor(least / 5)))
    return bottom, max(bottom + 5, min(100.0, 5 * math.ceil(most / 5)))


def _near_the_best(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without a last quarter or less that lies far below them."""
    ordered = sorted(rows, key=lambda row: -row["avg_at_k"])
    for number in range(math.ceil(0.75 * len(ordered)), len(ordered)):
        kept = ordered[:number]
        least, most = min(row["low"] for row in kept), max(row["high"] for row in kept)
        if least - ordered[number]["avg_at_k"] > most - least:
            return kept
    return ordered


def _domain(values: list[float], log: bool) -> tuple[float, float]:
    """Return the axis's ends, with a margin so that no point lies on the frame."""
    if log:
        return min(values) / 1.6, max(values) * 1.6
    margin = 0.06 * (max(values) - min(values)) or 0.05 * max(values) or 1.0
    return max(0.0, min(values) - margin), max(values) + margin


@dataclass(frozen=True)
class _Frame:
    """A panel's axes and its size in pixels."""

    cost: Cost
    x_domain: tuple[float, float]
    y_domain: tuple[float, float]
    width: int
    height: int

    def place(self, cost: float, score: float) -> tuple[float, float]:
        """Return pixels from the top left."""
        left, right = map(self._warp, self.x_domain)
        bottom, top = self.y_domain
        across = (self._warp(cost) - left) / (right - left)
        return across * self.width, (top - score) / (top - bottom) * self.height

    def value(self, x: float, y: float) -> tuple[float, float]:
        """Return the cost and the score at a place."""
        left, right = map(self._warp, self.x_domain)
        bottom, top = self.y_domain
        cost = left + x / self.width * (right - left)
        return math.exp(cost) if self.cost.log else cost, top - y / self.height * (top - bottom)

    def _warp(self, cost: float) -> float:
        return math.log(cost) if self.cost.log else cost


def _labelled(rows: list[dict[str, Any]], frame: _Frame, base: float) -> list[dict[str, Any]]:
    """Return the rows that have a label, with its place; one without room has none.

    Labels avoid the other rows' points, and the words about the base.
    """
    field, bottom = frame.cost.field, frame.y_domain[0]
    named = _ordered_to_name(rows, frame.cost)
    points = [(_label_of(row), *frame.place(row[field], row["at"])) for row in named]
    _, line = frame.place(frame.x_domain[0], max(base, bottom))
    words = range(0, _BASE_GLYPH * len(_base_words(base, bottom)), _BASE_GLYPH)
    others = [(float(frame.width - x), line - 6) for x in words]
    others += [frame.place(row[field], row["at"]) for row in rows if row not in named]
    labels = place_labels(points, frame.width, frame.height, others)
    return [
        {
            **row,
            "name": label.text,
            **dict(zip(("label_x", "label_y"), frame.value(label.x, label.y), strict=True)),
            "side": "left" if label.to_the_right else "right",
        }
        for row, label in zip(named, labels, strict=True)
        if label is not None
    ]
