"""Sampling that is given up once a run is to stop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Any

from torch import Tensor

from verirank.processes import Board, any_process
from verirank.sampling._completion import Finished, Orders, Published, Sampler

_STOP = "stop"


class SamplingStoppedError(Exception):
    """Samples were given up, because the run is to stop."""


class StoppableSampler:
    """A sampler whose stream looks at every turn whether to go on.

    Of several processes, which begin and close as many streams, all give up where one does.
    """

    def __init__(self, sampler: Sampler, stopping: Callable[[], bool]) -> None:
        self.tokenizer = sampler.tokenizer
        self._sampler, self._stopping = sampler, stopping

    def stream(self, orders: Orders, **settings: Any) -> Generator[list[Finished]]:
        """Sample orders side by side; see `Sampler.stream`.

        Raises:
            SamplingStoppedError: this process, or another, is to stop; also where the stream is
                closed while another process is to stop.
        """
        board = Board()
        with closing(self._sampler.stream(orders, **settings)) as turns:
            try:
                for finished in turns:
                    if self._stopping() or _STOP in board.news():
                        break
                    yield finished
            except GeneratorExit:
                if any_process(False):
                    raise SamplingStoppedError from None
                return
        board.post(_STOP)
        any_process(True)
        raise SamplingStoppedError

    def publish(self, weights: Iterable[tuple[str, Tensor]]) -> Published:
        """Serve these weights from now on; see `Sampler.publish`."""
        return self._sampler.publish(weights)
