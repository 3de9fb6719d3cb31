"""How much room a chart has: on a page as wide as its text, or on a phone."""

from __future__ import annotations

from dataclasses import dataclass

FEW = 4
"""Arms up to which wide pages have narrow charts, too, so that their text keeps its size."""


@dataclass(frozen=True)
class Layout:
    """The room of a chart, in pixels.

    `columns` are the small panels beside each other; where it `is_narrow`, large panels stand below
    each other, and `plot` is the width of one with the names beside it.
    """

    columns: int
    is_narrow: bool
    plot: int


WIDE = Layout(columns=5, is_narrow=False, plot=840)
NARROW = Layout(columns=2, is_narrow=True, plot=310)
"""At four fifths of its size it fits a screen of 360 pixels."""


def layout_for(arms: int, layout: Layout) -> Layout:
    """Return the layout of large panels: few arms leave a wide one empty."""
    return NARROW if arms <= FEW else layout
