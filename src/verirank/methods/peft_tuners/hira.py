"""HiRA: an update that is the weight itself, each entry times one of a low-rank matrix."""

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


class HiRA(PeftTuner):
    """W' = W + W * (B A), B from zero, * by entries (HiRA, ICLR 2025)."""

    name = "hira"
    family = "low-rank"
    reference = "ICLR 2025: HiRA"
    default_rates = DefaultRates(
        micro=1e-2, other=1e-3, how_found="a guess: ten times lora's, for weights are below 1"
    )
    Config = RankConfig

    def count(self, shape: ModelShape) -> int:
        """Return LoRA's count: the sum of r (in + out) over the adapted linears."""
        return sum(self.config.rank * (i + o) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a HiraConfig without dropout."""
        from peft import HiraConfig

        return HiraConfig(
            task_type="CAUSAL_LM", r=self.config.rank, target_modules=self.module_names(model)
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update is the weight times the product of the trained factors, entry by entry."""
        error, size = 0.0, 0.0
        for layer, weight, published in updates(policy):
            product = (layer.hira_B[ADAPTER] @ layer.hira_A[ADAPTER]).detach()
            error = max(error, float((published - weight - weight * product).abs().max()))
            size = max(size, float(product.abs().max()))
        return size > 0 and error < 1e-5, f"off by {error:.1e}, factors up to {size:.1e}"
