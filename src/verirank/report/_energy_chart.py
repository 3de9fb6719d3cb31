"""Where an update's energy lies over the base's singular directions, beside an isotropic one's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from verirank.report._palette import Palette

if TYPE_CHECKING:
    from verirank.geometry import Geometry

_SIDES = {"energy_left": "left directions", "energy_right": "right directions"}
_LINES = {"update": "the update", "isotropic": "isotropic update", "base": "the base's weight"}


def energy_rows(geometry: Geometry) -> list[dict[str, Any]]:
    """Return the chart's data, both shares in percent, averaged over the matrices."""
    return [
        {
            "side": side,
            "line": words,
            "directions": round(100 * fraction, 4),
            "energy": round(100 * energy, 4),
        }
        for name, side in _SIDES.items()
        if name in geometry.summary.overall.curves
        for line, words in _LINES.items()
        for fraction, energy in zip(
            geometry.fractions,
            getattr(geometry.summary.overall.curves[name], line),
            strict=True,
        )
    ]


def energy_chart(geometry: Geometry, palette: Palette) -> alt.FacetChart:
    """Draw cumulative energy against the leading share of directions, a panel a side."""
    colours = alt.Scale(
        domain=list(_LINES.values()), range=[palette.best, palette.muted, palette.ink]
    )
    dashes = alt.Scale(domain=list(_LINES.values()), range=[[1, 0], [5, 4], [1, 3]])
    return (
        alt.Chart(alt.InlineData(values=energy_rows(geometry)))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("directions:Q", title="leading singular directions of the base, %"),
            y=alt.Y("energy:Q", title="cumulative energy, %", scale=alt.Scale(domain=[0, 100])),
            color=alt.Color("line:N", title=None, scale=colours),
            strokeDash=alt.StrokeDash("line:N", title=None, scale=dashes),
            tooltip=["line:N", "directions:Q", "energy:Q"],
        )
        .properties(width=350, height=260)
        .facet(column=alt.Column("side:N", title=None))
    )
