"""GRPO: rewards normalised within the group, every sequence counts the same."""

from __future__ import annotations

from torch import Tensor

from verirank.algorithms._advantages import normalised
from verirank.algorithms._algorithm import Algorithm, BatchTotals


class GRPO(Algorithm):
    """Group relative policy optimisation (DeepSeekMath, arXiv:2402.03300, eq. 3).

    The paper's KL coefficient is 0.04; the default is 0, because a verifiable reward cannot be
    gamed by drifting away from the base, and the penalty costs a forward pass of the base.
    """

    name = "grpo"
    reference = "arXiv:2402.03300"
    summary = "Group-normalised advantages; the loss is a mean over sequences of token means."

    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Return (r - mean) / (std + 1e-4) of each group, P x G."""
        return normalised(rewards_PG)

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / (|o_n| N), so that every sequence counts the same, N."""
        return 1.0 / (lengths_N.clamp(min=1) * totals.sequences)
