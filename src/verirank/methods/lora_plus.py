"""LoRA+: LoRA whose B learns faster than its A."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._settings import LowRankConfig
from verirank.methods.lora import LoRA


class _Config(LowRankConfig):
    ratio: float = Field(default=16.0, ge=1)


class LoRAPlus(LoRA):
    """B's learning rate is `ratio` times that of A (arXiv:2402.12354, section 4.2)."""

    name = "lora-plus"
    family = "optimiser"
    reference = "arXiv:2402.12354"
    default_rates = DefaultRates(
        micro=3.3e-5,
        other=2e-5,
        how_found="a guess: below lora's, because B steps 16 times further",
    )
    Config = _Config

    def parameter_groups(self, policy: Policy, learning_rate: float) -> list[dict[str, Any]]:
        """Return A at the learning rate and B at `ratio` times it."""
        named = policy.trainable().items()
        return [
            {"params": [p for n, p in named if "lora_A" in n], "lr": learning_rate},
            {
                "params": [p for n, p in named if "lora_B" in n],
                "lr": learning_rate * self.config.ratio,
            },
        ]

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Every B steps at exactly `ratio` times the rate of every A."""
        rates = {
            id(p): group["lr"]
            for group in policy.method.parameter_groups(policy, 1.0)
            for p in group["params"]
        }
        named = policy.trainable().items()
        rates_a = {rates[id(p)] for n, p in named if "lora_A" in n}
        rates_b = {rates[id(p)] for n, p in named if "lora_B" in n}
        passed = rates_a == {1.0} and rates_b == {self.config.ratio}
        return passed, f"rates of B {rates_b} to A {rates_a}, expected {self.config.ratio:g} to 1"
