"""REINFORCE++ with a group baseline: advantages are normalised over the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from verirank.algorithms._advantages import batch_normalised
from verirank.algorithms._algorithm import Algorithm, BatchTotals
from verirank.config import AlgorithmConfig


class ReinforcePPConfig(AlgorithmConfig):
    """REINFORCE++'s settings: GRPO's."""

    name: str = "reinforce-pp"


class ReinforcePP(Algorithm):
    """REINFORCE++ with a baseline (arXiv:2501.03262, sec. 3.2)."""

    name = "reinforce-pp"
    reference = "arXiv:2501.03262"
    summary = "Group-centred rewards normalised over the whole batch; token-level averaging."
    Config = ReinforcePPConfig

    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Return centred rewards over (std of the batch + 1e-4), P x G."""
        return batch_normalised(rewards_PG)

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / (tokens of the batch), N."""
        return torch.full_like(lengths_N, 1.0 / max(totals.tokens, 1), dtype=torch.float32)
