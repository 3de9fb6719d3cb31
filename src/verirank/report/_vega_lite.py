"""Vega-Lite specifications (https://vega.github.io/vega-lite) as the plain JSON that they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Spec = dict[str, Any]
"""A specification, or a part of one."""

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.1.json"


def quantitative(field: str, **settings: Any) -> Spec:
    """Return the encoding of a field of numbers."""
    return {"field": field, "type": "quantitative", **settings}


def nominal(field: str, **settings: Any) -> Spec:
    """Return the encoding of a field of names."""
    return {"field": field, "type": "nominal", **settings}


def values(rows: Sequence[dict[str, Any]]) -> Spec:
    """Return data that stand in the specification; where a part names none it has its parent's."""
    return {"values": rows}


def mark(kind: str, encoding: Spec, *, data: Spec | None = None, **properties: Any) -> Spec:
    """Return a view of one mark a row, or one through all rows, with what its channels show."""
    view = {"mark": {"type": kind, **properties}, "encoding": encoding}
    return view if data is None else {"data": data, **view}


def estimates(
    each: Spec, x: Spec, field: str, colour: Spec, looks: Spec, *, format: str, muted: str
) -> tuple[Spec, Spec, Spec]:
    """Return the views of one estimate a row: its interval, itself as a dot, and as a number.

    Args:
        each: what every view encodes.
        x: the encoding of the field `low`, where an interval begins; it ends at `high`.
        field: the estimate.
        colour: the encoding of the interval's colour.
        looks: the encodings of the dot.
        format: of the number.
        muted: its colour.
    """
    interval = mark(
        "rule",
        {**each, "x": x, "x2": {"field": "high"}, "color": colour},
        strokeWidth=2.5,
        opacity=0.55,
        strokeCap="round",
    )
    dot = mark(
        "point", {**each, "x": quantitative(field), **looks}, filled=True, size=85, opacity=1
    )
    number = mark(
        "text",
        {**each, "x": quantitative("high"), "text": quantitative(field, format=format)},
        align="left",
        dx=8,
        fontSize=11,
        color=muted,
    )
    return interval, dot, number


def layers(*views: Spec, **properties: Any) -> Spec:
    """Return views that lie over each other on the same axes, the first one lowest."""
    return {"layer": list(views), **properties}


def small_panels(panels: Sequence[Spec], columns: int, **properties: Any) -> Spec:
    """Return small panels in rows of so many."""
    columns = min(columns, len(panels))
    spacing = {"row": 18, "column": 4}
    return {"concat": list(panels), "columns": columns, "spacing": spacing, **properties}
