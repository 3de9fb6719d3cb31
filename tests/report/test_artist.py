"""Charts are drawn by a process of their own, which ends with whoever asked for them."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from verirank.report import Artist, _artist
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


def test_after_a_chart_that_cannot_be_drawn_the_next_ones_are_errors_too() -> None:
    with Artist() as artist:
        asked = [artist.draw(chart) for chart in ({"mark": "no such mark"}, one_point("#112233"))]
        for future in [*asked, artist.draw(one_point("#445566"))]:
            with pytest.raises(RuntimeError, match="ended with 1;"):
                future.result()


def test_the_death_of_the_process_is_an_error_with_its_return_code() -> None:
    with Artist() as artist:
        artist.draw(one_point("#112233")).result()
        processes()[-1].kill()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="ended with -9;"):
                artist.draw(one_point("#445566")).result()


DIES_ANSWERING = """
import pickle, sys
sys.stdin.readline()
sys.stdout.buffer.write(pickle.dumps(("<svg/>" * 10_000, b"%PDF-"))[:30_000])
sys.stdout.buffer.flush()
sys.exit(3)
"""


def test_half_an_answer_is_an_error_with_the_return_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "dies.py"
    script.write_text(DIES_ANSWERING)
    monkeypatch.setattr(_artist, "__file__", str(script))
    with Artist() as artist, pytest.raises(RuntimeError, match="ended with 3;"):
        artist.draw(one_point("#112233")).result()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_exception_ends_the_process_at_once_and_leaves_the_rest_undrawn(
    kind: type[BaseException],
) -> None:
    with pytest.raises(kind), Artist() as artist:
        process = processes()[-1]
        asked = [artist.draw(one_point("#112233")) for _ in range(100)]
        raise kind
    assert not psutil.pid_exists(process.pid)
    assert asked[-1].cancelled()


def test_an_interrupt_that_reaches_the_process_too_is_left_to_whoever_asked() -> None:
    with Artist() as artist:
        artist.draw(one_point("#112233")).result()
        processes()[-1].send_signal(signal.SIGINT)
        assert "#445566" in artist.draw(one_point("#445566")).result().svg


def processes() -> list[psutil.Process]:
    """Return the processes that draw for this one."""
    every = psutil.Process().children()
    return [process for process in every if process.cmdline()[-1] == _artist.__file__]


def one_point(colour: str) -> dict[str, object]:
    encoding = {"x": quantitative("x"), "y": quantitative("y")}
    return mark("point", encoding, data=values([{"x": 1, "y": 2}]), color=colour)
