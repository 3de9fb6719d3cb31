"""DAPO: clip-higher, dynamic sampling, token-level loss, soft overlong punishment, no KL."""

from __future__ import annotations

import torch
from pydantic import Field, field_validator
from torch import Tensor

from verirank.algorithms._advantages import normalised
from verirank.algorithms._algorithm import Algorithm, BatchTotals
from verirank.algorithms._group import Group
from verirank.config import AlgorithmConfig


class DAPOConfig(AlgorithmConfig):
    """DAPO's settings.

    Up to `max_sampling_rounds` times as many groups as a batch has are sampled to fill it; a batch
    that is still short then trains on the groups it has. The last `overlong_buffer` of the token
    limit, a fraction of it (paper: 4,096 of 20,480), is punished linearly, up to `overlong_penalty`
    at the limit (0: no punishment). The paper's penalty of 1 goes with rewards of -1 and 1; ours
    are 0 and 1, on which half of it has the same weight.
    """

    name: str = "dapo"
    clip_high: float = Field(default=0.28, ge=0)
    max_sampling_rounds: int = Field(default=10, ge=1)
    overlong_buffer: float = Field(default=0.2, gt=0, le=1)
    overlong_penalty: float = Field(default=0.5, ge=0)

    @field_validator("kl_coefficient")
    @classmethod
    def _refuse_a_kl_penalty(cls, value: float) -> float:
        if value > 0:
            raise ValueError("dapo has no KL penalty; leave it 0, or use grpo or dr-grpo")
        return value


class DAPO(Algorithm):
    """Decoupled clip and dynamic sampling policy optimisation (arXiv:2503.14476, eq. 8)."""

    name = "dapo"
    reference = "arXiv:2503.14476"
    summary = "Clip-higher, token-level loss, dynamic sampling, soft overlong punishment, no KL."
    Config = DAPOConfig
    config: DAPOConfig

    @property
    def sampling_rounds(self) -> int:
        """How many times as many groups as a batch has may be sampled to fill it."""
        return self.config.max_sampling_rounds

    def selects(self, group: Group) -> bool:
        """Return whether a group carries a signal (constraint of eq. 8).

        Some samples are right and some wrong, or, under a graded reward, none is right and their
        rewards differ. This looks at rewards before the overlong punishment: a group whose
        completions differ only in length carries no signal.
        """
        right = sum(reward.correct for reward in group.rewards)
        if right == 0:
            return len({reward.value for reward in group.rewards}) > 1
        return right < len(group.rewards)

    def shape_rewards(self, rewards_PG: Tensor, lengths_PG: Tensor, max_new_tokens: int) -> Tensor:
        """Return rewards less the soft overlong punishment, P x G (eq. 13, lengths in tokens)."""
        buffer = self.config.overlong_buffer * max_new_tokens
        excess_PG = (lengths_PG - (max_new_tokens - buffer)) / buffer
        return rewards_PG - self.config.overlong_penalty * excess_PG.clamp(0, 1)

    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Return (r - mean) / (std + 1e-4) of each group, P x G (eq. 9)."""
        return normalised(rewards_PG)

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / (tokens of the batch), so that every token counts the same, N.

        Eq. 8 sums over one group's tokens; its released code sums, as here, over the batch's.
        """
        return torch.full_like(lengths_N, 1.0 / max(totals.tokens, 1), dtype=torch.float32)
