"""PSOFT: a rotation of the principal subspace of every weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import LowRankTuner, updates
from verirank.models import ModelShape


class PSOFT(LowRankTuner):
    """W' = W + U_r S_r (diag(b) R diag(a) - I) V_r^T, R orthogonal (arXiv:2505.11235).

    U_r S_r V_r^T are W's r largest singular components. They are stored with the policy, because
    a decomposition may differ from machine to machine.
    """

    name = "psoft"
    family = "orthogonal"
    reference = "arXiv:2505.11235"
    default_rates = DefaultRates(micro=1e-2, other=1e-3, how_found="a guess: ten times lora's")
    Config = RankConfig
    frozen = ("_psoft_A_cache", "_psoft_B_cache")

    def count(self, shape: ModelShape) -> int:
        """Return r (r - 1) / 2 angles and 2 r factors a linear."""
        r = self.config.rank
        return sum(r * (r - 1) // 2 + 2 * r for _ in shape.adapted(self.config.modules))

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out + r) over the adapted linears."""
        r = self.config.rank
        return sum(r * (i + o + r) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a PsoftConfig with the exact transform and decomposition, without dropout."""
        from peft import PsoftConfig

        return PsoftConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            psoft_alpha=self.config.rank,
            target_modules=self.module_names(model),
        )

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return (R - I) A and B; the scale is 1."""
        a, b = layer._psoft_A_cache[ADAPTER], layer._psoft_B_cache[ADAPTER]
        return layer.psoft_R[ADAPTER].get_matrix() @ a - a, b

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """R is orthogonal, and the update stays in the span of the r largest components."""
        error, outside, size = 0.0, 0.0, 0.0
        for layer, weight, published in updates(policy):
            trained, update = layer.psoft_R[ADAPTER], published - weight
            a, b = trained.vector_a.detach(), trained.vector_b.detach()
            rotation = trained.get_matrix().detach() / b[:, None] / a
            identity = torch.eye(len(a), device=a.device)
            error = max(error, float((rotation @ rotation.T - identity).abs().max()))
            rows = layer._psoft_A_cache[ADAPTER]
            rest = update - update @ rows.T @ rows
            size = max(size, float(update.norm()))
            outside = max(outside, float(rest.norm() / update.norm()))
        detail = f"R off by {error:.1e}, update {size:.1e}, {outside:.1e} of it outside"
        return size > 0 and error < 1e-5 and outside < 1e-3, detail
