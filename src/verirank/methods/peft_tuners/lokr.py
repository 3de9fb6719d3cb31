"""LoKr: an update that is a Kronecker product of a small matrix and one of low rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, publishes
from verirank.models import ModelShape


class LoKr(PeftTuner):
    """W' = W + C x (B A), C from zero, x Kronecker's product (arXiv:2309.14859).

    In and out are split as near to the root as they divide. Where r is at least half of the larger
    remaining side, the second factor is one full matrix. The scale alpha / r is 1.
    """

    name = "lokr"
    family = "low-rank"
    reference = "arXiv:2309.14859"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = RankConfig

    def count(self, shape: ModelShape) -> int:
        """Return the sizes of C and of B, A or the full matrix in their place."""
        return sum(self._count(i, o) for i, o in shape.adapted(self.config.modules))

    def _count(self, inputs: int, outputs: int) -> int:
        (m, n), (few, k) = _split(inputs), _split(outputs)
        full = self.config.rank >= max(k, n) / 2
        return few * m + (k * n if full else self.config.rank * (k + n))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a LoKrConfig of scale 1 without dropout."""
        from peft import LoKrConfig

        return LoKrConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            alpha=self.config.rank,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update is the Kronecker product of the trained factors."""
        return publishes(policy, lambda la, _: torch.kron(la.lokr_w1[ADAPTER], _second(la)))


def _second(layer: Any) -> Tensor:
    if ADAPTER in layer.lokr_w2:
        return layer.lokr_w2[ADAPTER]
    return layer.lokr_w2_a[ADAPTER] @ layer.lokr_w2_b[ADAPTER]


def _split(number: int) -> tuple[int, int]:
    """Return the two divisors that are nearest to each other, the smaller one first."""
    smaller = max(n for n in range(1, int(number**0.5) + 1) if number % n == 0)
    return smaller, number // smaller
