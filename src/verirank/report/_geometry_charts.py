"""Where updates lie and how they grew: small panels, a method each."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import Any

import altair as alt

from verirank.report._geometry import GeometryReport
from verirank.report._palette import SAID, Palette, described, panel_title

COLUMNS = 5
_SIZE = {"width": 146, "height": 104}


def energy_rows(geometry: GeometryReport) -> list[dict[str, Any]]:
    """Return cumulative energies in percent a method and side, means over its seeds."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in geometry.energy:
        found[row["method"], row["side"], row["directions"]].append(row)
    return [
        {
            "method": method,
            "side": side,
            "directions": directions,
            **{k: round(fmean(r[k] for r in rows), 4) for k in ("update", "isotropic", "base")},
        }
        for (method, side, directions), rows in found.items()
    ]


def energy_panels(rows: list[dict[str, Any]], palette: Palette) -> alt.ConcatChart:
    """Draw the update's energy over the base's right directions, its isotropic null, the base's."""
    right = [row for row in rows if row["side"] == "right"]
    methods = list(dict.fromkeys(row["method"] for row in right))
    panels = [
        _energy_panel([r for r in right if r["method"] == m], palette, first=p % COLUMNS == 0)
        for p, m in enumerate(methods)
    ]
    return alt.concat(*panels, columns=COLUMNS, spacing={"row": 18, "column": 4})


def _energy_panel(rows: list[dict[str, Any]], palette: Palette, *, first: bool) -> alt.LayerChart:
    half = next(row for row in rows if row["directions"] >= 50)
    words = (
        f"half of the directions hold {half['update']:.0f} % of the update, "
        f"{half['isotropic']:.0f} % of an isotropic one, {half['base']:.0f} % of the base"
    )
    chart = alt.Chart(described(rows, lambda row: words)).encode(
        x=alt.X("directions:Q", title=None, axis=alt.Axis(values=[0, 50, 100], grid=False)),
        description=SAID,
    )
    axis = alt.Axis(values=[0, 50, 100], domain=False, ticks=False, labelOpacity=int(first))
    y = {"title": None, "axis": axis, "scale": alt.Scale(domain=[0, 100])}
    lines = [
        chart.mark_line(color=palette.muted, strokeDash=[1, 3]).encode(y=alt.Y("base:Q", **y)),
        chart.mark_line(color=palette.ink, strokeDash=[5, 4], strokeWidth=1).encode(
            y=alt.Y("isotropic:Q", **y)
        ),
        chart.mark_line(color=palette.best, strokeWidth=2).encode(y=alt.Y("update:Q", **y)),
    ]
    return alt.LayerChart(layer=lines).properties(**_SIZE, title=panel_title(rows[0]["method"]))


def growth_rows(geometry: GeometryReport) -> list[dict[str, Any]]:
    """Return the relative norm of updates in percent a method and checkpoint, means over seeds."""
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in geometry.measures:
        if row["measure"] == "relative_norm" and row["value"] is not None:
            found[row["method"], row["step"]].append(row["value"])
    return [
        {"method": method, "step": step, "relative_norm": round(100 * fmean(values), 5)}
        for (method, step), values in found.items()
    ]


def growth_panels(rows: list[dict[str, Any]], palette: Palette) -> alt.ConcatChart:
    """Draw the norm of the update over that of the weight by step, a panel a method."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    most = max(row["relative_norm"] for row in rows)
    panels = [
        _growth_panel([r for r in rows if r["method"] == m], most, palette, first=p % COLUMNS == 0)
        for p, m in enumerate(methods)
    ]
    return alt.concat(*panels, columns=COLUMNS, spacing={"row": 18, "column": 4})


def _growth_panel(
    rows: list[dict[str, Any]], most: float, palette: Palette, *, first: bool
) -> alt.Chart:
    words = f"{rows[-1]['relative_norm']:.2g} % after {rows[-1]['step']} steps"
    axis = alt.Axis(tickCount=3, domain=False, ticks=False, labelOpacity=int(first))
    return (
        alt.Chart(described(rows, lambda row: words))
        .mark_line(color=palette.best, strokeWidth=1.8, point={"size": 20, "color": palette.best})
        .encode(
            x=alt.X("step:Q", title=None, axis=alt.Axis(tickCount=3, grid=False)),
            y=alt.Y(
                "relative_norm:Q", title=None, axis=axis, scale=alt.Scale(domain=[0, 1.1 * most])
            ),
            description=SAID,
        )
        .properties(**_SIZE, title=panel_title(rows[0]["method"]))
    )
