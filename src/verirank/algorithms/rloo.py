"""RLOO: REINFORCE with the mean of the other samples as baseline."""

from __future__ import annotations

from torch import Tensor

from verirank.algorithms._advantages import leave_one_out
from verirank.algorithms._algorithm import Algorithm, BatchTotals
from verirank.algorithms._surrogate import (
    LossSums,
    TokenBatch,
    clipped,
    log_ratio,
    total_loss,
)
from verirank.config import AlgorithmConfig


class RLOOConfig(AlgorithmConfig):
    """RLOO's settings; the KL penalty is k3 in the loss, not a part of the reward."""

    name: str = "rloo"


class RLOO(Algorithm):
    """REINFORCE leave-one-out (arXiv:2402.14740, sec. 3.3).

    The correction for the sampler is the mean of the tokens' truncated corrections.
    """

    name = "rloo"
    reference = "arXiv:2402.14740"
    summary = "Leave-one-out baseline; the clipped ratio is that of a whole completion."
    Config = RLOOConfig

    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Return each reward minus the mean of the group's others, P x G."""
        return leave_one_out(rewards_PG)

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / (|o_n| N): the loss is one value a sequence, spread over its tokens, N."""
        return 1.0 / (lengths_N.clamp(min=1) * totals.sequences)

    def loss(self, logprobs_NT: Tensor, batch: TokenBatch) -> tuple[Tensor, LossSums]:
        """Return the clipped surrogate of the ratio of whole completions, a product over tokens."""
        ratio_N1 = log_ratio(logprobs_NT, batch).sum(1, keepdim=True).exp()
        loss_N1, clipped_N1 = clipped(ratio_N1, batch, self.config)
        return total_loss(loss_N1, clipped_N1, logprobs_NT, batch, self.config)
