"""BNPO: GRPO whose loss is the mean over the tokens of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from verirank.algorithms._algorithm import BatchTotals
from verirank.algorithms.grpo import GRPO
from verirank.config import AlgorithmConfig


class BNPOConfig(AlgorithmConfig):
    """GRPO's settings."""

    name: str = "bnpo"


class BNPO(GRPO):
    """GRPO's group-normalised advantages with token-level averaging over the batch.

    This is the loss that TRL calls `bnpo`; it does not have the Beta-distributed reward
    normalisation of the paper of that name (arXiv:2506.02864). Weights are taken over the whole
    batch, not over a micro-batch, so gradient accumulation does not change the loss.
    """

    name = "bnpo"
    reference = "arXiv:2506.02864"
    summary = "Group-normalised advantages; the loss is a mean over the tokens of the batch."
    Config = BNPOConfig

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / (tokens of the batch), N."""
        return torch.full_like(lengths_N, 1.0 / max(totals.tokens, 1), dtype=torch.float32)
