"""LUSPO: GSPO whose sequences count by their lengths."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from verirank.algorithms._algorithm import BatchTotals
from verirank.algorithms.gspo import GSPO
from verirank.config import AlgorithmConfig


class LUSPOConfig(AlgorithmConfig):
    """LUSPO's settings: GSPO's."""

    name: str = "luspo"
    clip_low: float = Field(default=3e-4, ge=0, le=1)
    clip_high: float = Field(default=4e-4, ge=0)


class LUSPO(GSPO):
    """Length-unbiased sequence policy optimisation (arXiv:2602.05261).

    GSPO divides the loss of a sequence by its length, which favours short right answers; here it is
    multiplied by the length again.
    """

    name = "luspo"
    reference = "arXiv:2602.05261"
    summary = "GSPO without its division by the length of a sequence."
    Config = LUSPOConfig

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / N, so that a sequence counts by its length, N."""
        return torch.full_like(lengths_N, 1.0 / totals.sequences, dtype=torch.float32)
