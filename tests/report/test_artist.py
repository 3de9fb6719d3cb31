"""Charts are drawn by a process of their own, which ends with whoever asked for them."""

from __future__ import annotations

import pytest

from verirank.report import Artist
from verirank.report._vega_lite import mark, quantitative, values


def test_pictures_come_in_the_order_they_were_asked_for_in() -> None:
    with Artist() as artist:
        asked = [artist.draw(one_point(colour)) for colour in ("#112233", "#445566")]
        drawn = [picture.result() for picture in asked]
    assert ["#112233" in picture.svg for picture in drawn] == [True, False]
    assert all(picture.pdf.startswith(b"%PDF-") for picture in drawn)


def test_a_chart_that_cannot_be_drawn_is_an_error_of_whoever_asked_for_it() -> None:
    with Artist() as artist, pytest.raises(RuntimeError, match="could not be drawn"):
        artist.draw({"mark": "no such mark"}).result()


def one_point(colour: str) -> dict[str, object]:
    encoding = {"x": quantitative("x"), "y": quantitative("y")}
    return mark("point", encoding, data=values([{"x": 1, "y": 2}]), color=colour)
