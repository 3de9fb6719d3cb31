"""GraLoRA: a LoRA of its own for every block of a grid over the weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._settings import LowRankConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class _Config(LowRankConfig):
    blocks: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _divides(self) -> _Config:
        if self.rank % self.blocks:
            raise ValueError(f"rank {self.rank} is no multiple of blocks, {self.blocks}")
        return self


class GraLoRA(PeftTuner):
    """Each of k x k blocks of W gets s B A of rank r / k (arXiv:2505.20355).

    Raises:
        InputError: k does not divide inputs and outputs of a linear (peft says of which).
    """

    name = "gralora"
    family = "low-rank"
    reference = "arXiv:2505.20355"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config

    def count(self, shape: ModelShape) -> int:
        """Return LoRA's count, the sum of r (in + out): k^2 pairs of a k-th of r and of sides."""
        return sum(self.config.rank * (i + o) for i, o in shape.adapted(self.config.modules))

    def multiplications(self, shape: ModelShape) -> int:
        """Return the same."""
        return self.count(shape)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a GraloraConfig without a LoRA beside the grid and without dropout."""
        from peft import GraloraConfig

        return GraloraConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            alpha=self.config.resolved_alpha,
            gralora_k=self.config.blocks,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update of every block has rank r / k, and another one than its neighbours."""
        allowed, blocks = self.config.rank // self.config.blocks, self.config.blocks
        highest = 0
        for _, weight, published in updates(policy):
            for rows in (published - weight).chunk(blocks):
                for block in rows.chunk(blocks, dim=1):
                    highest = max(highest, _rank(block))
        return 0 < highest <= allowed, f"blocks of rank {highest}, allowed {allowed}"


def _rank(matrix: torch.Tensor) -> int:
    values = torch.linalg.svdvals(matrix.double())
    return int((values > 1e-3 * values[0]).sum()) if float(values[0]) > 0 else 0
