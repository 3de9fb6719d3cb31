"""Where an update's energy lies over the base's singular directions, beside an isotropic one's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verirank.report._palette import Palette
from verirank.report._vega_lite import Spec, mark, nominal, quantitative, values

if TYPE_CHECKING:
    from verirank.geometry import Geometry

_SIDES = {"energy_left": "left directions", "energy_right": "right directions"}
_LINES = {"update": "the update", "isotropic": "isotropic update", "base": "the base's weight"}


def energy_rows(geometry: Geometry) -> list[dict[str, Any]]:
    """Return the chart's data, both fractions in percent, averaged over the matrices."""
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


def energy_chart(geometry: Geometry, palette: Palette) -> Spec:
    """Draw cumulative energy against the leading share of directions, a panel a side."""
    domain = list(_LINES.values())
    colours = {"domain": domain, "range": [palette.best, palette.muted, palette.ink]}
    dashes = {"domain": domain, "range": [[1, 0], [5, 4], [1, 3]]}
    encoding = {
        "x": quantitative("directions", title="leading singular directions of the base, %"),
        "y": quantitative("energy", title="cumulative energy, %", scale={"domain": [0, 100]}),
        "color": nominal("line", title=None, scale=colours),
        "strokeDash": nominal("line", title=None, scale=dashes),
        "tooltip": [nominal("line"), quantitative("directions"), quantitative("energy")],
    }
    return {
        "data": values(energy_rows(geometry)),
        "facet": {"column": nominal("side", title=None)},
        "spec": {**mark("line", encoding, strokeWidth=2), "width": 350, "height": 260},
    }
