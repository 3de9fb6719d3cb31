"""Every method's score as a dot on its interval, beside the base's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verirank.ranking import Leaderboard, Row
from verirank.report._layout import NARROW, Layout, layout_for
from verirank.report._names import Names, row_names
from verirank.report._palette import (
    SAID,
    Palette,
    described,
    gain,
    score_in_words,
    standing,
    standing_encodings,
)
from verirank.report._vega_lite import Spec, estimates, layers, mark, nominal, quantitative, values

WIDTHS = {1: 720, 2: 370}
_NARROWEST = 240


def interval_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the chart's data, scores in percent."""
    return [
        {
            "method": row.label,
            "bench": row.bench,
            "rank": row.rank,
            "standing": standing(row),
            "gain": gain(row),
            "avg_at_k": round(100 * row.avg_at_k, 4),
            "low": round(100 * row.low, 4),
            "high": round(100 * row.high, 4),
            "base_avg_at_k": round(100 * row.base_avg_at_k, 4),
        }
        for row in rows
    ]


def interval_chart(board: Leaderboard, palette: Palette, layout: Layout) -> Spec:
    """Draw a column a bench: dots with 95 % intervals, best first, and the base as a line.

    Of few arms, and where the room is narrow, benches stand below each other.
    """
    order = [row.label for row in board.main]
    order += sorted({row.label for row in board.rows}.difference(order))
    stacked = layout_for(len(order), layout).is_narrow
    width = NARROW.plot if stacked else WIDTHS.get(len(board.benches), _NARROWEST)
    panels = [
        _panel(
            *(board.of_bench(bench), palette, width),
            row_names(order, palette, layout, step=23, shown=stacked or index == 0),
        )
        for index, bench in enumerate(board.benches)
    ]
    return {"vconcat" if stacked else "hconcat": panels}


def _panel(rows: list[Row], palette: Palette, width: int, names: Names) -> Spec:
    width -= names.taken
    x = quantitative(
        "low",
        title=f"Avg@{rows[0].k} {rows[0].on}, %",
        scale={"zero": False, "nice": True, "padding": 12},
        # Flush labels shift the last tick's into the one before it.
        axis={"tickCount": width // 60, "labelFlush": False, "labelSeparation": 8},
    )
    each = {"y": names.y, "description": SAID}
    colour, looks = standing_encodings(rows, palette)
    data = described(interval_rows(rows), _in_words)
    interval, dot, value = estimates(
        each, x, "avg_at_k", colour, looks, format=".1f", muted=palette.muted
    )
    views = (
        interval,
        _base_line(rows, palette, raised=bool(names.marks)),
        dot,
        value,
        *names.marks,
    )
    return layers(*views, data=data, width=width, height={"step": names.step})


def _in_words(row: dict[str, Any]) -> str:
    return f"{score_in_words(row)}, {row['standing']}, {row['gain']}"


def _base_line(rows: list[Row], palette: Palette, *, raised: bool) -> Spec:
    """Draw the base and its score, `raised` above a name that stands above the first row."""
    mean = sum(row.base_avg_at_k for row in rows) / len(rows)
    data = values([{"base": 100 * mean, "text": f"base {100 * mean:.1f}"}])
    x = quantitative("base")
    line = mark("rule", {"x": x}, strokeDash=[4, 4], color=palette.muted)
    text = mark(
        "text",
        {"x": x, "y": {"value": 0}, "text": nominal("text")},
        align="center",
        dy=-14 if raised else -6,
        baseline="bottom",
        fontSize=11,
        color=palette.muted,
    )
    return layers(line, text, data=data)
