"""A method that derives from nothing but `Method`: the gains of every other norm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates, MethodConfig
from verirank.methods import Method, Policy
from verirank.models import ModelShape, norms_of


class Config(MethodConfig):
    """Which half is trained: the norms at even or at odd places."""

    name: str = "half-norms"
    odd: bool = False


class HalfNorms(Method):
    """Trains fp32 copies of every other norm."""

    name = "half-norms"
    family = "vector"
    reference = "none"
    Config = Config
    default_rates = DefaultRates(micro=2e-2, other=5e-4, how_found="a guess")
    serves = "norms"

    def targets(self, model: nn.Module) -> set[str]:
        return set(list(norms_of(model))[int(self.config.odd) :: 2])

    def count(self, shape: ModelShape) -> int:
        # A decoder has an odd number of norms of one size: two a layer, and the last.
        norms = 2 * shape.layers + 1
        return shape.norm_gains // norms * len(range(int(self.config.odd), norms, 2))

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        model.requires_grad_(False)
        for name in self.targets(model):
            for parameter in model.get_submodule(name).parameters():
                parameter.data = parameter.data.to(torch.float32, copy=True)
                parameter.requires_grad_(True)
        return model

    def effective_weights(self, policy: Policy) -> Iterator[tuple[str, Tensor]]:
        for name, parameter in policy.trainable().items():
            yield name, parameter.detach().clone()

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        norms, trained = len(norms_of(policy.base.model)), len(policy.trainable())
        return trained in {norms // 2, norms - norms // 2}, f"{trained}/{norms} norms trained"
