"""The k samples of a problem drawn with one seed: k times the same sample."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor

from verirank.defects._defect import Defect
from verirank.sampling import Finished, Order, Orders, Published, Sampler


class OneEvaluationSeed(Defect):
    """Every sample of a problem has the seed of the first: Pass@k is Avg@1, and so is Avg@k."""

    name: ClassVar[str] = "one-evaluation-seed"

    def evaluation_sampler(self, sampler: Sampler) -> Sampler:
        """Return a sampler that draws all completions of a prompt alike."""
        return _OneSeed(sampler)


class _OneSeed:
    def __init__(self, sampler: Sampler) -> None:
        self.tokenizer = sampler.tokenizer
        self._sampler = sampler

    def stream(self, orders: Orders, **settings: Any) -> Generator[list[Finished]]:
        """See `Sampler.stream`; every sample of an order has the seed of its first."""

        def alike() -> Order | None:
            order = orders()
            return order and replace(order, seeds=[order.seeds[0]] * len(order.seeds))

        return self._sampler.stream(alike, **settings)

    def publish(self, weights: Iterable[tuple[str, Tensor]]) -> Published:
        """See `Sampler.publish`."""
        return self._sampler.publish(weights)
