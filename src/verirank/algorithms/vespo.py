"""VESPO: a gamma-shaped weight of the sequence's ratio."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from verirank.algorithms._algorithm import BatchTotals
from verirank.algorithms._surrogate import (
    LossSums,
    TokenBatch,
    log_ratio,
    sampler_gap,
    total_loss,
)
from verirank.algorithms.grpo import GRPO
from verirank.config import AlgorithmConfig

_LOG_RATIO_RANGE = (math.log(1e-8), 20.0)
"""Of a whole sequence, as the released code limits it."""
_TOKEN_LOG_RATIO = 20.0


class VESPOConfig(AlgorithmConfig):
    """VESPO's settings: the exponents k and rates lambda of its weight w^k exp(lambda (1 - w)).

    One pair holds for advantages of 0 or more, one for the others. `clip_low` and `clip_high` have
    no effect.
    """

    name: str = "vespo"
    k_positive: float = Field(default=2.0, ge=0)
    lambda_positive: float = Field(default=3.0, gt=0)
    k_negative: float = Field(default=3.0, ge=0)
    lambda_negative: float = Field(default=2.0, gt=0)


class VESPO(GRPO):
    """Variational sequence-level soft policy optimisation (arXiv:2602.10693).

    The correction for the sampler is a factor of the sequence's ratio w, not of the loss.
    """

    name = "vespo"
    reference = "arXiv:2602.10693"
    summary = "Policy gradient weighted by w^k exp(lambda (1 - w)) of the sequence's ratio w."
    Config = VESPOConfig

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / (tokens of the batch), N."""
        return torch.full_like(lengths_N, 1.0 / max(totals.tokens, 1), dtype=torch.float32)

    def loss(self, logprobs_NT: Tensor, batch: TokenBatch) -> tuple[Tensor, LossSums]:
        """Return -phi(w) A logprob, where phi carries no gradient."""
        advantages_N1 = batch.advantages_N.float().unsqueeze(1)
        kept_NT = logprobs_NT.float().masked_fill(~batch.mask_NT.bool(), 0.0)
        loss_NT = -self._weight(logprobs_NT, batch) * advantages_N1 * kept_NT
        unclipped_NT = torch.zeros_like(kept_NT, dtype=torch.bool)
        uncorrected = self.config.model_copy(update={"importance_cap": 0.0})
        return total_loss(loss_NT, unclipped_NT, logprobs_NT, batch, uncorrected)

    @torch.no_grad()
    def _weight(self, logprobs_NT: Tensor, batch: TokenBatch) -> Tensor:
        """Return phi of every sequence, N x 1."""
        limit, config = _TOKEN_LOG_RATIO, self.config
        log_w_N1 = log_ratio(logprobs_NT, batch).clamp(-limit, limit).sum(1, keepdim=True)
        if config.importance_cap > 0:
            gap_NT = sampler_gap(logprobs_NT, batch).clamp(max=math.log(config.importance_cap))
            log_w_N1 += gap_NT.clamp(min=_LOG_RATIO_RANGE[0]).sum(1, keepdim=True)
        log_w_N1 = log_w_N1.clamp(*_LOG_RATIO_RANGE)
        positive_N1 = batch.advantages_N.unsqueeze(1) >= 0
        k_N1 = torch.where(positive_N1, config.k_positive, config.k_negative)
        lambda_N1 = torch.where(positive_N1, config.lambda_positive, config.lambda_negative)
        return (lambda_N1 + k_N1 * log_w_N1 - lambda_N1 * log_w_N1.exp()).exp()
