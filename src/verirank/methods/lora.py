"""LoRA: a low-rank update W + s B A of every adapted linear, with s = alpha / r."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._low_rank import LowRankMethod
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import LowRankConfig
from verirank.models import ModelShape


class LoRA(LowRankMethod):
    """Trains A (r x in) and B (out x r), B from zero (arXiv:2106.09685, equation 3)."""

    name = "lora"
    family = "low-rank"
    reference = "arXiv:2106.09685"
    default_rates = DefaultRates(
        micro=1e-3, other=1e-4, how_found="measured on SmolLM2-135M, two-digit addition, rank 32"
    )
    Config = LowRankConfig

    flags: ClassVar[dict[str, Any]] = {}
    """What sets a relative of LoRA apart in peft's LoraConfig."""

    @property
    def scale(self) -> float:
        """The factor s of the update."""
        return self.config.resolved_alpha / self.config.rank

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out) over the adapted linears: all that it multiplies."""
        return self.multiplications(shape)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a LoraConfig without dropout."""
        from peft import LoraConfig

        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            lora_alpha=self.config.resolved_alpha,  # pyright: ignore[reportArgumentType]
            target_modules=self.module_names(model),
            **self.flags,
        )

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return W + s B A."""
        return {"weight": base["weight"] + layer.get_delta_weight(ADAPTER)}

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return A and s B."""
        return layer.lora_A[ADAPTER].weight, layer.scaling[ADAPTER] * layer.lora_B[ADAPTER].weight

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Every layer is scaled by s."""
        return self.scaled_by(policy)

    def scaled_by(self, policy: Policy) -> tuple[bool, str]:
        """Return whether every layer's scale is the method's s, and the scales found."""
        scales = {layer.scaling[ADAPTER] for layer in adapted_layers(policy.model).values()}
        return scales == {self.scale}, f"scale {sorted(scales)}, expected {self.scale:g}"
