"""Where updates lie and how they grew: small panels, a method each."""

from __future__ import annotations

from typing import Any

from verirank.ranking import GeometryReport, group_means
from verirank.report._layout import Layout
from verirank.report._palette import Palette, panel_title, said
from verirank.report._vega_lite import Spec, layers, mark, quantitative, small_panels, values

_SIZE = {"width": 146, "height": 104}


def energy_rows(geometry: GeometryReport) -> list[dict[str, Any]]:
    """Return cumulative energies in percent a method and side, means over its seeds."""
    lines = ("update", "isotropic", "base")
    means = group_means(geometry.energy, ("method", "side", "directions"), lines)
    return [
        {key: value for key, value in row.items() if key not in (*lines, "of")}
        | {line: round(row[line], 4) for line in lines}
        for row in means
    ]


def energy_panels(rows: list[dict[str, Any]], palette: Palette, layout: Layout) -> Spec:
    """Draw the update's energy over the base's right directions, its isotropic null, the base's."""
    right = [row for row in rows if row["side"] == "right"]
    methods = list(dict.fromkeys(row["method"] for row in right))
    panels = [
        _energy_panel(
            [r for r in right if r["method"] == m], palette, first=p % layout.columns == 0
        )
        for p, m in enumerate(methods)
    ]
    return small_panels(panels, layout.columns)


def _energy_panel(rows: list[dict[str, Any]], palette: Palette, *, first: bool) -> Spec:
    half = next(row for row in rows if row["directions"] >= 50)
    words = said(
        rows[0]["method"],
        f"half of the directions hold {half['update']:.0f} % of the update, "
        f"{half['isotropic']:.0f} % of an isotropic one, {half['base']:.0f} % of the base",
    )
    ticks = {"values": [0, 50, 100]}
    x = quantitative("directions", title=None, axis={**ticks, "grid": False})
    axis = {**ticks, "domain": False, "ticks": False, "labelOpacity": int(first)}
    y = {"title": None, "axis": axis, "scale": {"domain": [0, 100]}}
    drawn: dict[str, Spec] = {
        "base": {"color": palette.muted, "strokeDash": [1, 3]},
        "isotropic": {"color": palette.ink, "strokeDash": [5, 4], "strokeWidth": 1},
        "update": {"color": palette.best, "strokeWidth": 2},
    }
    lines = [
        mark("line", {"x": x, "y": quantitative(line, **y), "description": words}, **style)
        for line, style in drawn.items()
    ]
    return layers(*lines, data=values(rows), **_SIZE, title=panel_title(rows[0]["method"]))


def growth_rows(geometry: GeometryReport) -> list[dict[str, Any]]:
    """Return the relative norm of updates in percent a method and checkpoint, means over seeds."""
    norms = [row for row in geometry.measures if row["measure"] == "relative_norm"]
    recorded = [row for row in norms if row["value"] is not None]
    return [
        {
            "method": row["method"],
            "step": row["step"],
            "relative_norm": round(100 * row["value"], 5),
        }
        for row in group_means(recorded, ("method", "step"), ("value",))
    ]


def growth_panels(rows: list[dict[str, Any]], palette: Palette, layout: Layout) -> Spec:
    """Draw the norm of the update over that of the weight by step, a panel a method."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    most = max(row["relative_norm"] for row in rows)
    panels = [
        _growth_panel(
            [r for r in rows if r["method"] == m], most, palette, first=p % layout.columns == 0
        )
        for p, m in enumerate(methods)
    ]
    return small_panels(panels, layout.columns)


def _growth_panel(
    rows: list[dict[str, Any]], most: float, palette: Palette, *, first: bool
) -> Spec:
    method, last = rows[0]["method"], rows[-1]
    words = said(method, f"{last['relative_norm']:.2g} % after {last['step']} steps")
    axis = {"tickCount": 3, "domain": False, "ticks": False, "labelOpacity": int(first)}
    scale = {"domain": [0, 1.1 * most]}
    encoding = {
        "x": quantitative("step", title=None, axis={"tickCount": 3, "grid": False}),
        "y": quantitative("relative_norm", title=None, axis=axis, scale=scale),
        "description": words,
    }
    point = {"size": 20, "color": palette.best}
    view = mark("line", encoding, color=palette.best, strokeWidth=1.8, point=point)
    return {"data": values(rows), **view, **_SIZE, "title": panel_title(method)}
