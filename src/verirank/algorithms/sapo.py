"""SAPO: a sigmoid takes the place of the clip."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from verirank.algorithms._surrogate import LossSums, TokenBatch, log_ratio, total_loss
from verirank.algorithms.grpo import GRPO
from verirank.config import AlgorithmConfig


class SAPOConfig(AlgorithmConfig):
    """SAPO's settings: the gate's temperatures for positive and other advantages.

    `clip_low` and `clip_high` have no effect.
    """

    name: str = "sapo"
    temperature_positive: float = Field(default=1.0, gt=0)
    temperature_negative: float = Field(default=1.05, gt=0)


class SAPO(GRPO):
    """Soft adaptive policy optimisation (arXiv:2511.20347, eq. 5-6)."""

    name = "sapo"
    reference = "arXiv:2511.20347"
    summary = "GRPO with a sigmoid gate on the ratio instead of a clip."
    Config = SAPOConfig

    def loss(self, logprobs_NT: Tensor, batch: TokenBatch) -> tuple[Tensor, LossSums]:
        """Return -A sigmoid(t (r - 1)) 4 / t, whose slope at r = 1 is -A."""
        ratio_NT = log_ratio(logprobs_NT, batch).exp()
        advantages_N1 = batch.advantages_N.float().unsqueeze(1)
        temperature_N1 = torch.where(
            advantages_N1 > 0, self.config.temperature_positive, self.config.temperature_negative
        )
        gate_NT = torch.sigmoid(temperature_N1 * (ratio_NT - 1)) * 4 / temperature_N1
        unclipped_NT = torch.zeros_like(ratio_NT, dtype=torch.bool)
        return total_loss(-gate_NT * advantages_N1, unclipped_NT, logprobs_NT, batch, self.config)
