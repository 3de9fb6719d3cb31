"""Super-Tuning: the entries of every weight that are largest are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class _Config(ModulesConfig):
    sparsity: float = Field(default=0.99, ge=0, lt=1)


class SuperTuning(PeftTuner):
    """W' = W + S, S zero but at the largest entries of W (arXiv:2607.09287)."""

    name = "supertuning"
    family = "sparse"
    reference = "arXiv:2607.09287"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config
    frozen = ("supertuning_indices",)

    def count(self, shape: ModelShape) -> int:
        """Return the sum of in x out (1 - sparsity), each rounded down as peft does."""
        linears = shape.adapted(self.config.modules)
        return sum(int(i * o * (1 - self.config.sparsity)) for i, o in linears)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a SupertuningConfig without a LoRA beside the entries."""
        from peft import SupertuningConfig

        return SupertuningConfig(
            task_type="CAUSAL_LM",
            sparsity=self.config.sparsity,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Only entries differ that are as large as the smallest of the trained ones."""
        outside, most = 0, 0
        for _, weight, published in updates(policy):
            changed, kept = published != weight, int(weight.numel() * (1 - self.config.sparsity))
            least = torch.topk(weight.abs().flatten(), kept).values[-1]
            outside += int((changed & (weight.abs() < least)).sum())
            most = max(most, int(changed.sum()))
        return most > 0 and outside == 0, f"up to {most} entries changed, {outside} small ones"
