"""How far each defect moves each method: a panel a defect, a dot on its interval a method."""

from __future__ import annotations

from typing import Any

import altair as alt

from verirank.report._palette import SAID, Palette, described
from verirank.report.confounds import Confounds

_MOVED, _NOT_RESOLVED = "moved", "not resolved"


def confound_rows(confounds: Confounds) -> list[dict[str, Any]]:
    """Return the chart's data on the main bench, differences in points."""
    return [
        {
            "defect": effect.defect,
            "method": effect.label,
            "difference": round(100 * effect.difference, 4),
            "low": round(100 * effect.low, 4),
            "high": round(100 * effect.high, 4),
            "p_holm": effect.p_holm,
            "verdict": _MOVED if effect.resolved else _NOT_RESOLVED,
        }
        for effect in confounds.main
    ]


def confound_chart(confounds: Confounds, palette: Palette) -> alt.VConcatChart:
    """Draw the panels below each other on one scale."""
    rows = confound_rows(confounds)
    ends = [0.0, *(row[end] for row in rows for end in ("low", "high"))]
    scale = alt.Scale(domain=[min(ends), max(ends)], nice=True)
    defects = dict.fromkeys(row["defect"] for row in rows)
    last = list(defects)[-1]
    panels = [
        _panel([row for row in rows if row["defect"] == defect], scale, palette, defect == last)
        for defect in defects
    ]
    return alt.vconcat(*panels, spacing=16)


def _panel(
    rows: list[dict[str, Any]], scale: alt.Scale, palette: Palette, is_last: bool
) -> alt.LayerChart:
    base = alt.Chart(described(rows, _in_words)).encode(
        description=SAID,
        y=alt.Y(
            "method:N",
            sort=[row["method"] for row in sorted(rows, key=lambda row: row["difference"])],
            title=None,
            axis=alt.Axis(domain=False, ticks=False, labelColor=palette.ink, labelPadding=10),
        ),
    )
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=[_MOVED, _NOT_RESOLVED], range=[palette.no_gain, palette.behind]),
    )
    shape = alt.Shape(
        "verdict:N",
        scale=alt.Scale(domain=[_MOVED, _NOT_RESOLVED], range=["diamond", "square"]),
    )
    title = "score with the defect minus the fair one, points" if is_last else None
    x = alt.X("low:Q", title=title, scale=scale, axis=alt.Axis(tickCount=10, labels=is_last))
    interval = base.mark_rule(strokeWidth=2.5, opacity=0.55, strokeCap="round").encode(
        x=x, x2="high:Q", color=colour
    )
    dot = base.mark_point(filled=True, size=85, opacity=1).encode(
        x="difference:Q",
        color=colour,
        shape=shape,
    )
    value = base.mark_text(align="left", dx=8, fontSize=11, color=palette.muted).encode(
        x="high:Q", text=alt.Text("difference:Q", format="+.1f")
    )
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(strokeDash=[4, 4], color=palette.muted)
        .encode(x="zero:Q")
    )
    return alt.LayerChart(layer=[zero, interval, dot, value]).properties(
        title=rows[0]["defect"].replace("-", " "), width=620, height={"step": 20}
    )


def _in_words(row: dict[str, Any]) -> str:
    moved = f"{row['difference']:+.1f} points ({row['low']:+.1f} to {row['high']:+.1f})"
    return f"{moved} with {row['defect']}; {row['verdict']}"
