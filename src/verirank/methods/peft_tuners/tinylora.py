"""TinyLoRA: a frozen LoRA of the principal components, mixed by a few trained numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import LowRankTuner, updates
from verirank.models import ModelShape


class _Config(RankConfig):
    # The rank of frozen factors, which v mixes: 2 where LoRA has 8 to 32.
    own_scale = frozenset({"rank"})
    rank: int = Field(default=2, ge=1)
    numbers: int = Field(default=64, ge=1)
    tying: float = Field(default=0.0, ge=0, le=1)


class TinyLoRA(LowRankTuner):
    """W' = W + U S^1/2 (sum_i v_i P_i) S^1/2 V^T, v from zero (arXiv:2602.04118).

    U, S and V are W's r largest singular components, P_i frozen random matrices. `numbers` is the
    length of v. At `tying` 0 every linear has a v of its own, at 1 all share one.
    """

    name = "tinylora"
    family = "vector"
    reference = "arXiv:2602.04118"
    default_rates = DefaultRates(micro=1e-2, other=1e-3, how_found="a guess: ten times lora's")
    Config = _Config
    frozen = ("tinylora_A", "tinylora_B", "tinylora_P")

    def count(self, shape: ModelShape) -> int:
        """Return the length of v times the number of groups of linears."""
        linears = sum(1 for _ in shape.adapted(self.config.modules))
        groups = max(1, round(linears * (1.0 - self.config.tying)))
        size = max(1, linears // groups)
        return self.config.numbers * min(groups, -(-linears // size))

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out + r) over the adapted linears."""
        r = self.config.rank
        return sum(r * (i + o + r) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a TinyLoraConfig whose frozen matrices follow from the seed, without dropout."""
        from peft import TinyLoraConfig

        return TinyLoraConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            u=self.config.numbers,
            weight_tying=self.config.tying,
            projection_seed=seed,
            target_modules=self.module_names(model),
        )

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return R A, R the trained mixture, and B."""
        mixed = layer._compute_R(ADAPTER) @ layer.tinylora_A[ADAPTER]
        return mixed, layer.tinylora_B[ADAPTER]

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Frozen matrices stay through a step, and updates have rank r."""
        before = {n: t.clone() for n, t in self.extra_state(policy).items()}
        step()
        moved = sum(not torch.equal(t, before[n]) for n, t in self.extra_state(policy).items())
        highest = 0
        for _, weight, published in updates(policy):
            values = torch.linalg.svdvals((published - weight).double())
            highest = max(highest, int((values > 1e-2 * values[0]).sum()))
        passed = len(before) > 0 and moved == 0 and 0 < highest <= self.config.rank
        return passed, f"{moved} of {len(before)} frozen tensors moved, updates of rank {highest}"
