"""GLoRA: a low-rank factor of the weight and a low-rank summand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class GLoRA(PeftTuner):
    """W' = W + W * A + B, A and B of low rank, from zero (arXiv:2306.07967).

    Without the paths C, D and E of the bias, which most linears lack.
    """

    name = "glora"
    family = "low-rank"
    reference = "arXiv:2306.07967"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = RankConfig

    def count(self, shape: ModelShape) -> int:
        """Return twice LoRA's count: the sum of 2 r (in + out) over the adapted linears."""
        return sum(2 * self.config.rank * (i + o) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a GloraConfig of the two paths of the weight."""
        from peft import GloraConfig

        return GloraConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            config_C="none",
            config_D_E="none",
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update is the weight times A, entry by entry, and B."""
        error, size = 0.0, 0.0
        for layer, weight, published in updates(policy):
            factor, summand = (path[ADAPTER]().detach() for path in (layer.glora_A, layer.glora_B))
            error = max(error, float((published - weight - weight * factor - summand).abs().max()))
            size = max(size, min(float(factor.abs().max()), float(summand.abs().max())))
        return size > 0 and error < 1e-5, f"off by {error:.1e}, both paths up to {size:.1e}"
