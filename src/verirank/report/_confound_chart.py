"""How far each defect moves each method: a panel a defect, a dot on its interval a method."""

from __future__ import annotations

from typing import Any

from verirank.ranking import Confounds
from verirank.report._layout import Layout
from verirank.report._names import row_names
from verirank.report._palette import SAID, Palette, described
from verirank.report._vega_lite import Spec, estimates, layers, mark, nominal, quantitative, values

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


def confound_chart(confounds: Confounds, palette: Palette, layout: Layout) -> Spec:
    """Draw the panels below each other on one scale."""
    rows = confound_rows(confounds)
    ends = [0.0, *(row[end] for row in rows for end in ("low", "high"))]
    scale = {"domain": [min(ends), max(ends)], "nice": True}
    defects = dict.fromkeys(row["defect"] for row in rows)
    last = list(defects)[-1]
    panels = [
        _panel(
            *([row for row in rows if row["defect"] == defect], scale, palette, layout),
            is_last=defect == last,
        )
        for defect in defects
    ]
    return {"vconcat": panels, "spacing": 16}


def _panel(
    rows: list[dict[str, Any]], scale: Spec, palette: Palette, layout: Layout, *, is_last: bool
) -> Spec:
    order = [row["method"] for row in sorted(rows, key=lambda row: row["difference"])]
    names = row_names(order, palette, layout, step=20)
    width = (layout.plot if layout.is_narrow else 620) - names.taken
    each = {"description": SAID, "y": names.y}
    domain, colours = [_MOVED, _NOT_RESOLVED], [palette.no_gain, palette.behind]
    colour = nominal("verdict", scale={"domain": domain, "range": colours})
    shape = nominal("verdict", scale={"domain": domain, "range": ["diamond", "square"]})
    words = "score with the defect minus the fair one, points"
    title = ["score with the defect", "minus the fair one, points"] if layout.is_narrow else words
    title = title if is_last else None
    axis = {"tickCount": width // 60, "labels": is_last}
    x = quantitative("low", title=title, scale=scale, axis=axis)
    zero = mark(
        "rule",
        {"x": quantitative("zero")},
        data=values([{"zero": 0}]),
        strokeDash=[4, 4],
        color=palette.muted,
    )
    looks = {"color": colour, "shape": shape}
    interval, dot, value = estimates(
        each, x, "difference", colour, looks, format="+.1f", muted=palette.muted
    )
    return layers(
        *(zero, interval, dot, value, *names.marks),
        data=described(rows, _in_words),
        title=rows[0]["defect"].replace("-", " "),
        width=width,
        height={"step": names.step},
    )


def _in_words(row: dict[str, Any]) -> str:
    moved = f"{row['difference']:+.1f} points ({row['low']:+.1f} to {row['high']:+.1f})"
    return f"{moved} with {row['defect']}; {row['verdict']}"
