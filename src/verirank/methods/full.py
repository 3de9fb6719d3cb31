"""Full fine-tuning: every parameter is trained, in fp32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._method import Method
from verirank.methods._policy import Policy
from verirank.models import ModelShape
from verirank.processes import whole


class Full(Method):
    """Trains fp32 copies of all parameters; tied embeddings stay tied and count once."""

    name = "full"
    family = "full"
    reference = "none"
    default_rates = DefaultRates(
        micro=3.3e-5, other=1e-5, how_found="the paper's rate (arXiv:2512.23165)"
    )
    trains_base = True
    serves = "all"

    def targets(self, model: nn.Module) -> set[str]:
        """Return every module that owns a parameter; tied ones are owned by the first."""
        return {name.rpartition(".")[0] for name, _ in model.named_parameters()}

    def count(self, shape: ModelShape) -> int:
        """Return the number of parameters of the plain model."""
        return shape.parameters

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Give every parameter fp32 storage of its own."""
        for parameter in model.parameters():
            parameter.data = parameter.data.to(torch.float32, copy=True)
        return model.requires_grad_(True)

    def effective_weights(self, policy: Policy) -> Iterator[tuple[str, Tensor]]:
        """Yield copies of the trained parameters."""
        for name, parameter in policy.trainable().items():
            yield name, whole(parameter.detach()).clone()

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Every parameter of the base is trained, and none shares the base's storage."""
        own = dict(policy.model.named_parameters())
        base = dict(policy.base.model.named_parameters())
        aliases = sum(own[n].data_ptr() == p.data_ptr() for n, p in base.items() if n in own)
        passed = policy.trainable().keys() == base.keys() and aliases == 0
        return passed, f"{len(policy.trainable())}/{len(base)} tensors trained, {aliases} aliased"
