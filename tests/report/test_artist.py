"""Charts are drawn by a second process, which ends with its owner."""

from __future__ import annotations

import signal
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest

from verirank.report import Artist
from verirank.report._vega_lite import mark, quantitative, values


def test_charts_come_in_the_order_they_were_submitted() -> None:
    with Artist() as artist:
        drawn = [artist.draw(one_point(colour)) for colour in ("#112233", "#445566")]
    assert ["#112233" in svg.result() for svg in drawn] == [True, False]


def test_an_invalid_chart_is_an_error_of_its_own_and_the_next_one_is_drawn() -> None:
    with Artist() as artist:
        drawn = [artist.draw(chart) for chart in ({"mark": "no such mark"}, one_point("#112233"))]
        with pytest.raises(ValueError, match="Vega-Lite to SVG conversion failed"):
            drawn[0].result()
        assert "#112233" in drawn[1].result()


def test_the_death_of_the_process_is_an_error_of_every_later_chart() -> None:
    with Artist() as artist:
        artist.draw(one_point("#112233")).result()
        workers()[-1].kill()
        with pytest.raises(BrokenProcessPool):
            artist.draw(one_point("#445566")).result()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_exception_ends_the_process_and_leaves_the_rest_undrawn(
    kind: type[BaseException],
) -> None:
    with pytest.raises(kind), Artist() as artist:
        asked = [artist.draw(one_point("#112233")) for _ in range(100)]
        asked[0].result()
        worker = workers()[-1]
        raise kind
    assert not psutil.pid_exists(worker.pid)
    assert asked[-1].cancelled()


def test_an_interrupt_of_the_process_group_is_left_to_the_owner() -> None:
    with Artist() as artist:
        artist.draw(one_point("#112233")).result()
        workers()[-1].send_signal(signal.SIGINT)
        assert "#445566" in artist.draw(one_point("#445566")).result()


def workers() -> list[psutil.Process]:
    """Return this process's children that multiprocessing spawned to work."""
    return [c for c in psutil.Process().children() if "spawn_main" in " ".join(c.cmdline())]


def one_point(colour: str) -> dict[str, object]:
    encoding = {"x": quantitative("x"), "y": quantitative("y")}
    return mark("point", encoding, data=values([{"x": 1, "y": 2}]), color=colour)
