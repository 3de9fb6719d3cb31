"""Dr. GRPO: GRPO without its two normalisers."""

from __future__ import annotations

import torch
from torch import Tensor

from verirank.algorithms._advantages import centred
from verirank.algorithms._algorithm import Algorithm, BatchTotals
from verirank.config import AlgorithmConfig


class DrGRPOConfig(AlgorithmConfig):
    """Dr. GRPO's settings: GRPO's."""

    name: str = "dr-grpo"


class DrGRPO(Algorithm):
    """GRPO done right (arXiv:2503.20783, sec. 3.2).

    Dividing by the group's standard deviation favours problems that are almost always or almost
    never solved; dividing by a sequence's length favours short right and long wrong answers. Both
    divisions go, and a constant replaces the length.
    """

    name = "dr-grpo"
    reference = "arXiv:2503.20783"
    summary = "Centred advantages; token losses summed and divided by a constant."
    Config = DrGRPOConfig

    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Return r - mean of each group, P x G."""
        return centred(rewards_PG)

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return the constant 1 / (N max_new_tokens), N."""
        weight = 1.0 / (totals.sequences * totals.max_new_tokens)
        return torch.full_like(lengths_N, weight, dtype=torch.float32)
