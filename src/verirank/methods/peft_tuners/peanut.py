"""PEANuT: an update that a small network computes from the weight itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import LowRankTuner, publishes
from verirank.models import ModelShape


class PEANuT(LowRankTuner):
    """W' = W + B relu(A W), B from zero (arXiv:2410.01870).

    Its network has no layers between A and B.
    """

    name = "peanut"
    family = "structural"
    reference = "arXiv:2410.01870"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = RankConfig

    def count(self, shape: ModelShape) -> int:
        """Return the sum of 2 r out over the adapted linears."""
        return sum(2 * self.config.rank * o for _, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a PeanutConfig of depth 0."""
        from peft import PeanutConfig

        return PeanutConfig(
            task_type="CAUSAL_LM", r=self.config.rank, target_modules=self.module_names(model)
        )

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return relu(A W) and B."""
        weight = layer.base_layer.weight.to(torch.float32)
        return torch.relu(layer.peanut_A[ADAPTER].weight @ weight), layer.peanut_B[ADAPTER].weight

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update is what the network makes of the weight."""

        def update_of(layer: Any, weight: Tensor) -> Tensor:
            down, up = layer.peanut_A[ADAPTER].weight, layer.peanut_B[ADAPTER].weight
            return up @ torch.relu(down @ weight)

        return publishes(policy, update_of)
