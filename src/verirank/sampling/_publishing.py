"""What every sampler does to the weights that it is given: one cast, and an account of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from verirank.sampling._completion import Published


class Casting:
    """Casts fp32 weights to the base's dtype and adds up how they differ from the base's."""

    def __init__(self, base: Mapping[str, Tensor]) -> None:
        """Compare with `base`, by the same names; its tensors are only read."""
        self._base = base
        self._changed, self._total, self._squares = 0, 0, 0.0

    @torch.no_grad()
    def __call__(self, weights: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
        """Yield each weight as it is to be served, in storage that is not the caller's."""
        for name, weight in weights:
            base = self._base[name]
            served = weight.to(base.dtype)
            served = served.clone() if served is weight else served
            self._changed += int((served != base).sum())
            self._total += served.numel()
            self._squares += float((weight - base.float()).square().sum())
            yield name, served

    def published(self) -> Published:
        """Return the account of all weights that went through."""
        return Published(self._changed / max(self._total, 1), self._squares**0.5)
