"""Sampling that is given up once a run is to stop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from typing import Any

from torch import Tensor

from verirank.processes import Board, any_process
from verirank.sampling._completion import Completion, Finished, Orders, Published, Sampler
from verirank.sampling._sample_all import sample_all

_STOP = "stop"


class SamplingStoppedError(Exception):
    """Samples were given up, because the run is to stop."""


class StoppableSampler:
    """A sampler whose `sample` looks after every turn whether to go on.

    Of several processes, whose calls of `sample` are as many, all give up where one does.
    """

    def __init__(self, sampler: Sampler, stopping: Callable[[], bool]) -> None:
        self.tokenizer = sampler.tokenizer
        self._sampler, self._stopping = sampler, stopping
        self._board = Board()

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[Sequence[int]],
        *,
        temperature: float,
        max_new_tokens: int,
        stop: str | None,
    ) -> list[list[Completion]]:
        """Return, per prompt, one completion per seed; see `Sampler.sample`.

        Raises:
            SamplingStoppedError: this process, or another, is to stop.
        """
        made: list[list[Completion]] | None = None
        self._board = Board()
        try:
            made = sample_all(self, prompts, seeds, temperature, max_new_tokens, stop)
        except SamplingStoppedError:
            self._board.post(_STOP)
        if any_process(made is None) or made is None:
            raise SamplingStoppedError
        return made

    def stream(self, orders: Orders, **settings: Any) -> Generator[list[Finished]]:
        """Sample orders side by side; see `Sampler.stream`.

        Raises:
            SamplingStoppedError: this process, or another, is to stop.
        """
        with closing(self._sampler.stream(orders, **settings)) as turns:
            for finished in turns:
                if self._stopping() or _STOP in self._board.news():
                    raise SamplingStoppedError
                yield finished

    def publish(self, weights: Iterable[tuple[str, Tensor]]) -> Published:
        """Serve these weights from now on; see `Sampler.publish`."""
        return self._sampler.publish(weights)
