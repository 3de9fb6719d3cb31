"""Pictures of charts, drawn by a process beside the one that computes the report.

vl_convert keeps Python's lock while it draws, so a thread beside would wait for it. The process
runs this file as a script, which imports nothing of the package and so is there at once.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

_VEGA_LITE = "6.4"
_FIRST = '{"mark": "point", "data": {"values": []}}'


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn chart."""

    svg: str
    pdf: bytes


class Artist:
    """Draws charts one after the other, while whoever asked for them goes on."""

    def __enter__(self) -> Artist:
        """Start the process; drawing itself takes it half a second to be ready for."""
        command, pipe = [sys.executable, "-P", __file__], subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        self._waiter = ThreadPoolExecutor(max_workers=1)
        return self

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        """End the process, with what it was asked for done; at once if an exception passes."""
        if raised:
            self._process.kill()
        self._waiter.shutdown(cancel_futures=bool(raised))
        self._process.communicate()

    def draw(self, specification: dict[str, Any]) -> Future[Picture]:
        """Return what will be the picture of a Vega-Lite specification.

        Its result raises RuntimeError where the chart cannot be drawn.
        """
        return self._waiter.submit(self._drawn, json.dumps(specification))

    def _drawn(self, specification: str) -> Picture:
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None and told is not None
        try:
            asked.write(specification.encode() + b"\n")
            asked.flush()
            return Picture(*pickle.load(told))
        except (BrokenPipeError, EOFError, pickle.UnpicklingError):
            code = self._process.wait()
            raise RuntimeError(
                f"a chart could not be drawn, for what draws ended with {code}; why stands above"
            ) from None


def _serve() -> None:
    """Answer every specification that comes in with its picture, until no more come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the process that asks
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is said stands in no answer
    from vl_convert import svg_to_pdf, vegalite_to_svg

    vegalite_to_svg(_FIRST, vl_version=_VEGA_LITE)
    for specification in sys.stdin:
        svg = vegalite_to_svg(specification, vl_version=_VEGA_LITE)
        pickle.dump((svg, svg_to_pdf(svg)), told)
        told.flush()


if __name__ == "__main__":
    _serve()
