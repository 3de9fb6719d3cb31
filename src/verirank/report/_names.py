"""Where a chart writes the names of its rows: beside them, or above them on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verirank.report._layout import Layout
from verirank.report._palette import Palette, names_axis
from verirank.report._vega_lite import Spec, mark, nominal

_LONGEST_BESIDE = 16
"""Characters of a name that leaves a narrow chart room beside it."""
_STEP_OF_TWO_LINES = 34


@dataclass(frozen=True)
class Names:
    """The names of a chart's rows.

    `y` is the encoding of the field `method`, `taken` the pixels that names take of a narrow plot,
    `step` those of a row, `marks` what writes names above rows.
    """

    y: Spec
    taken: int
    step: int
    marks: tuple[Spec, ...]


def row_names(
    order: Sequence[str], palette: Palette, layout: Layout, step: int, *, shown: bool = True
) -> Names:
    """Return how the names of rows are written.

    Args:
        order: the names from the first row to the last.
        palette: of the chart.
        layout: where it is narrow, long names stand above their rows.
        step: pixels of a row beside its name.
        shown: whether they are written here, or beside another panel.
    """
    above = layout.is_narrow and max(map(len, order), default=0) > _LONGEST_BESIDE
    axis = {**names_axis(order if shown and not above else [], palette)}
    axis["labels"] = shown and not above
    y = nominal("method", sort=list(order), title=None, axis=axis)
    if not above:
        return Names(y, round(axis["minExtent"]) if layout.is_narrow else 0, step, ())
    name = mark(
        "text",
        {"x": {"value": 0}, "y": y, "text": nominal("method")},
        align="left",
        dy=-13,
        fontSize=11,
        color=palette.ink,
    )
    return Names(y, 0, _STEP_OF_TWO_LINES, (name,))
