"""GSPO: the ratio of a whole sequence is clipped."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from verirank.algorithms._surrogate import (
    LossSums,
    TokenBatch,
    clipped,
    sequence_ratio,
    total_loss,
)
from verirank.algorithms.grpo import GRPO
from verirank.config import AlgorithmConfig


class GSPOConfig(AlgorithmConfig):
    """GSPO's settings; the clip range is that of the paper's experiments (sec. 5.1)."""

    name: str = "gspo"
    clip_low: float = Field(default=3e-4, ge=0, le=1)
    clip_high: float = Field(default=4e-4, ge=0)


class GSPO(GRPO):
    """Group sequence policy optimisation (arXiv:2507.18071, eq. 5-7)."""

    name = "gspo"
    reference = "arXiv:2507.18071"
    summary = "GRPO with one length-normalised ratio a sequence, clipped as a whole."
    Config = GSPOConfig

    def loss(self, logprobs_NT: Tensor, batch: TokenBatch) -> tuple[Tensor, LossSums]:
        """Return the clipped surrogate of the sequences' ratios."""
        loss_N1, clipped_N1 = clipped(sequence_ratio(logprobs_NT, batch), batch, self.config)
        return total_loss(loss_N1, clipped_N1, logprobs_NT, batch, self.config)
