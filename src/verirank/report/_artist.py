"""Charts drawn to SVG in a second process, while this one goes on computing.

vl_convert holds the interpreter's lock while it draws, so a thread would gain nothing.
"""

from __future__ import annotations

import json
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

_VEGA_LITE = "6.4"


class Artist:
    """A process that draws charts in the order they are submitted."""

    def __enter__(self) -> Artist:
        """Set up the pool; its process starts with the first chart."""
        # Ctrl-C reaches the whole process group; the pool ends with the process that owns it.
        ignore = (signal.SIGINT, signal.SIG_IGN)
        self._pool = ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=signal.signal, initargs=ignore
        )
        return self

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        """Wait for the charts submitted; drop those not begun where an exception passes."""
        self._pool.shutdown(cancel_futures=bool(raised))

    def draw(self, specification: dict[str, Any]) -> Future[str]:
        """Return the future SVG of a Vega-Lite specification.

        Its result raises ValueError where the specification is invalid and BrokenProcessPool
        where the process died.
        """
        # A function of vl_convert, so that the process imports nothing else.
        from vl_convert import vegalite_to_svg

        return self._pool.submit(vegalite_to_svg, json.dumps(specification), vl_version=_VEGA_LITE)
