"""An algorithm that only asks whether a completion beat its group's mean."""

from __future__ import annotations

from torch import Tensor

from verirank.algorithms import Algorithm, BatchTotals
from verirank.config import AlgorithmConfig


class Config(AlgorithmConfig):
    """The settings of every algorithm."""

    name: str = "sign"


class Sign(Algorithm):
    """Advantages of 1, 0 or -1."""

    name = "sign"
    reference = "none"
    summary = "The sign of the centred reward; the loss is a mean over sequences."
    Config = Config

    def advantages(self, rewards_PG: Tensor) -> Tensor:
        return (rewards_PG - rewards_PG.mean(dim=1, keepdim=True)).sign()

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        return 1.0 / (lengths_N.clamp(min=1) * totals.sequences)
