"""DEFT: a low-rank subspace is taken out of the weight, and another content put in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import LowRankTuner, updates
from verirank.models import ModelShape


class DEFT(LowRankTuner):
    """W' = (I - P relu(P)^T) W + P R, R from relu(P)^T W (DEFT, NeurIPS 2025)."""

    name = "deft"
    family = "low-rank"
    reference = "NeurIPS 2025: DEFT"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = RankConfig

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out), with r at most out."""
        r, linears = self.config.rank, shape.adapted(self.config.modules)
        return sum(min(r, o) * (i + o) for i, o in linears)

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of r (in + 3 out): removal takes two products with P."""
        r, linears = self.config.rank, shape.adapted(self.config.modules)
        return sum(min(r, o) * (i + 3 * o) for i, o in linears)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a DeftConfig that starts at the base, without dropout."""
        from peft import DeftConfig

        return DeftConfig(
            task_type="CAUSAL_LM", r=self.config.rank, target_modules=self.module_names(model)
        )

    def wrap(self, model: nn.Module, config: Any, seed: int) -> nn.Module:
        """Let peft wrap the model, and start R in fp32: peft rounds it to a bf16 base's dtype."""
        adapted = super().wrap(model, config, seed)
        for layer in adapted_layers(adapted).values():
            right = torch.relu(layer.deft_P[ADAPTER].data)
            weight = layer.base_layer.weight.data.to(torch.float32)
            layer.deft_R[ADAPTER].data = right.transpose(0, 1) @ weight
        return adapted

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return what is put in less what is taken out, and P."""
        p, weight = layer.deft_P[ADAPTER], layer.base_layer.weight.to(torch.float32)
        return layer.deft_R[ADAPTER] - torch.relu(p).T @ weight, p

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The published weight has the formula's parts: what is left and what was put in."""
        error, size = 0.0, 0.0
        for layer, weight, published in updates(policy):
            p, r = layer.deft_P[ADAPTER].detach(), layer.deft_R[ADAPTER].detach()
            expected = weight - p @ (torch.relu(p).T @ weight) + p @ r
            error = max(error, float((published - expected).abs().max()))
            size = max(size, float((published - weight).abs().max()))
        return size > 0 and error < 1e-5, f"off by {error:.1e}, update up to {size:.1e}"
