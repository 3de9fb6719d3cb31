"""DeLoRA: a low-rank update whose components all have the same, trained length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import LowRankTuner, updates
from verirank.models import ModelShape

_LEAST = 1e-4
"""The least length by which peft divides."""


class _Config(RankConfig):
    bound: float = Field(default=0.5, gt=0)


class DeLoRA(LowRankTuner):
    """W' = W + (lambda / r) sum_i b_i a_i / (|b_i| |a_i|), its columns as W's (arXiv:2503.18225).

    Lambda, which starts at `bound`, bounds the update's norm relative to the norms of W's columns.
    b starts at zero, where peft divides by 1e-4 instead of its length: the first step already gives
    an update of that norm, whatever the learning rate. peft's bound of 15 would make it about a
    quarter of the micro model's weights.
    """

    name = "delora"
    family = "low-rank"
    reference = "arXiv:2503.18225"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config
    frozen = ("delora_w_norm",)

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out) + 1 over the adapted linears."""
        return sum(self.config.rank * (i + o) + 1 for i, o in shape.adapted(self.config.modules))

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out) over the adapted linears."""
        return sum(self.config.rank * (i + o) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a DeloraConfig without dropout."""
        from peft import DeloraConfig

        return DeloraConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            delora_lambda=self.config.bound,
            target_modules=self.module_names(model),
        )

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return the rows of A, scaled as W's columns, and the columns of B at their length."""
        a, b = layer.delora_A[ADAPTER], layer.delora_B[ADAPTER]
        lengths = a.norm(dim=1).clamp_min(_LEAST) * b.norm(dim=0).clamp_min(_LEAST)
        scale = layer.delora_lambda[ADAPTER] / self.config.rank / lengths
        return a * layer.delora_w_norm[ADAPTER], b * scale

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update, its columns divided by W's norms, is no longer than lambda."""
        longest, size = 0.0, 0.0
        for layer, weight, published in updates(policy):
            update = (published - weight) / weight.norm(dim=0).clamp_min(1e-12)
            size = max(size, float(update.norm()))
            bound = abs(float(layer.delora_lambda[ADAPTER].detach()))
            longest = max(longest, float(update.norm()) / bound)
        return 0 < longest < 1 + 1e-4, f"longest update {size:.1e}, {longest:.2f} of its bound"
