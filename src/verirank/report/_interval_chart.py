"""Every method's score as a dot on its interval, beside the base's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from verirank.report._palette import (
    SAID,
    Palette,
    described,
    score_in_words,
    standing,
    standing_encodings,
)
from verirank.report.leaderboard import Leaderboard, Row

WIDTHS = {1: 720, 2: 370}
NARROW = 240


def interval_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the chart's data, scores in percent."""
    return [
        {
            "method": row.label,
            "bench": row.bench,
            "rank": row.rank,
            "standing": standing(row),
            "avg_at_k": round(100 * row.avg_at_k, 4),
            "low": round(100 * row.low, 4),
            "high": round(100 * row.high, 4),
            "base_avg_at_k": round(100 * row.base_avg_at_k, 4),
        }
        for row in rows
    ]


def interval_chart(board: Leaderboard, palette: Palette) -> alt.HConcatChart:
    """Draw a column a bench: dots with 95 % intervals, best first, and the base as a line."""
    order = [row.label for row in board.main]
    order += sorted({row.label for row in board.rows}.difference(order))
    width = WIDTHS.get(len(board.benches), NARROW)
    return alt.hconcat(
        *[
            _column(board.of_bench(bench), order, palette, named=place == 0).properties(
                width=width, height={"step": 23}
            )
            for place, bench in enumerate(board.benches)
        ]
    )


def _column(rows: list[Row], order: list[str], palette: Palette, *, named: bool) -> alt.LayerChart:
    x = {"scale": alt.Scale(zero=False, nice=True, padding=12), "axis": alt.Axis(tickCount=6)}
    title = f"Avg@{rows[0].k} {rows[0].on}, %"
    y = alt.Y(
        "method:N",
        sort=order,
        title=None,
        axis=alt.Axis(
            domain=False,
            ticks=False,
            labels=named,
            labelColor=palette.ink,
            labelPadding=10,
            labelLimit=320,
        ),
    )
    colour, shape = standing_encodings(rows, palette)
    data = described(interval_rows(rows), lambda row: f"{score_in_words(row)}, {row['standing']}")
    base = alt.Chart(data).encode(y=y, description=SAID)
    interval = base.mark_rule(strokeWidth=2.5, opacity=0.55, strokeCap="round").encode(
        x=alt.X("low:Q", title=title, **x), x2="high:Q", color=colour
    )
    dot = base.mark_point(filled=True, size=85, opacity=1).encode(
        x="avg_at_k:Q",
        color=colour,
        shape=shape,
    )
    value = base.mark_text(align="left", dx=8, fontSize=11, color=palette.muted).encode(
        x="high:Q", text=alt.Text("avg_at_k:Q", format=".1f")
    )
    return alt.LayerChart(layer=[interval, _base_line(rows, palette), dot, value])


def _base_line(rows: list[Row], palette: Palette) -> alt.LayerChart:
    mean = sum(row.base_avg_at_k for row in rows) / len(rows)
    data = alt.InlineData(values=[{"base": 100 * mean, "text": f"base {100 * mean:.1f}"}])
    line = alt.Chart(data).mark_rule(strokeDash=[4, 4], color=palette.muted).encode(x="base:Q")
    text = (
        alt.Chart(data)
        .mark_text(align="center", dy=-6, baseline="bottom", fontSize=11, color=palette.muted)
        .encode(x="base:Q", y=alt.value(0), text="text:N")
    )
    return alt.LayerChart(layer=[line, text])
