"""HRA: the inputs of every linear pass through a chain of Householder reflections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import field_validator
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._orthogonal import keeps_angles
from verirank.methods.peft_tuners._tuner import PeftTuner
from verirank.models import ModelShape


class _Config(RankConfig):
    @field_validator("rank")
    @classmethod
    def _is_even(cls, rank: int) -> int:
        if rank % 2:
            raise ValueError("is odd, but only pairs of equal reflections start at the base")
        return rank


class HRA(PeftTuner):
    """W' = W H_1 ... H_r, H_i = I - 2 u_i u_i^T / |u_i|^2 (arXiv:2405.17484)."""

    name = "hra"
    family = "orthogonal"
    reference = "arXiv:2405.17484"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r x in over the adapted linears."""
        return sum(self.config.rank * i for i, _ in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return an HRAConfig without orthogonalised reflections."""
        from peft import HRAConfig

        return HRAConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Rows keep their lengths and angles."""
        return keeps_angles(policy)
