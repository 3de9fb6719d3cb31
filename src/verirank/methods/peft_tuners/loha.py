"""LoHa: an update that is the elementwise product of two products of low rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, publishes
from verirank.models import ModelShape


class LoHa(PeftTuner):
    """W' = W + (B1 A1) * (B2 A2), A2 from zero (arXiv:2108.06098).

    Its scale alpha / r is 1: the factors are as large as their gradients make them.
    """

    name = "loha"
    family = "low-rank"
    reference = "arXiv:2108.06098"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = RankConfig

    def count(self, shape: ModelShape) -> int:
        """Return the sum of 2 r (in + out) over the adapted linears."""
        return sum(2 * self.config.rank * (i + o) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a LoHaConfig of scale 1 without dropout."""
        from peft import LoHaConfig

        return LoHaConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            alpha=self.config.rank,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update is the elementwise product of two trained products."""
        return publishes(policy, lambda layer, _: _product(layer, "w1") * _product(layer, "w2"))


def _product(layer: Any, name: str) -> Tensor:
    return getattr(layer, f"hada_{name}_a")[ADAPTER] @ getattr(layer, f"hada_{name}_b")[ADAPTER]
