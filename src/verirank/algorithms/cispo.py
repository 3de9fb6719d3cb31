"""CISPO: importance weights are capped, and no token loses its gradient."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from verirank.algorithms._algorithm import BatchTotals
from verirank.algorithms._surrogate import LossSums, TokenBatch, log_ratio, total_loss
from verirank.algorithms.grpo import GRPO
from verirank.config import AlgorithmConfig


class CISPOConfig(AlgorithmConfig):
    """CISPO's settings.

    The importance weight is capped at 1 + clip_high; `clip_low` has no effect, for the paper leaves
    the lower bound out. ScaleRL's cap is 5 (arXiv:2510.13786), hence the default of 4.
    """

    name: str = "cispo"
    clip_high: float = Field(default=4.0, ge=0)


class CISPO(GRPO):
    """Clipped importance-sampling policy optimisation (MiniMax-M1, arXiv:2506.13585, eq. 4-5)."""

    name = "cispo"
    reference = "arXiv:2506.13585"
    summary = "Policy gradient with capped importance weights; token-level averaging."
    Config = CISPOConfig

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / (tokens of the batch), N."""
        return torch.full_like(lengths_N, 1.0 / max(totals.tokens, 1), dtype=torch.float32)

    def loss(self, logprobs_NT: Tensor, batch: TokenBatch) -> tuple[Tensor, LossSums]:
        """Return -min(r, 1 + clip_high) A logprob, where the weight carries no gradient."""
        ratio_NT, cap = log_ratio(logprobs_NT, batch).exp().detach(), 1 + self.config.clip_high
        advantages_N1 = batch.advantages_N.float().unsqueeze(1)
        kept_NT = logprobs_NT.float().masked_fill(~batch.mask_NT.bool(), 0.0)
        loss_NT = -ratio_NT.clamp(max=cap) * advantages_N1 * kept_NT
        capped_NT = (ratio_NT > cap) & (advantages_N1 > 0)
        return total_loss(loss_NT, capped_NT, logprobs_NT, batch, self.config)
