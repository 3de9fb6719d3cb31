"""What every RL algorithm says: which groups to keep, their advantages, and the loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from verirank.algorithms._group import Group
from verirank.algorithms._surrogate import LossSums, TokenBatch, clipped_surrogate
from verirank.config import AlgorithmConfig


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """The size of a whole batch, over all its micro-batches.

    Sequences that train nothing (see `Algorithm.trains`) are counted too, so leaving them out of
    the forward pass changes neither loss nor gradient. `max_new_tokens` is the limit on one
    completion.
    """

    sequences: int
    tokens: int
    max_new_tokens: int


class Algorithm(ABC):
    """One RL algorithm, in the order in which a training step asks it.

    Sample groups, up to `sampling_rounds` times a batch, and keep those it `selects`;
    `shape_rewards`; turn them into `advantages`; leave out the sequences that it does not `train`;
    and per micro-batch take the gradient of `loss`, in which every token counts by `token_weights`.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    summary: ClassVar[str]
    Config: ClassVar[type[AlgorithmConfig]] = AlgorithmConfig

    def __init__(self, config: Any) -> None:
        self.config = config

    @property
    def sampling_rounds(self) -> int:
        """How many times as many groups as a batch has may be sampled to fill it."""
        return 1

    def selects(self, group: Group) -> bool:
        """Return whether a group belongs in the batch; by default every group does."""
        return True

    def shape_rewards(self, rewards_PG: Tensor, lengths_PG: Tensor, max_new_tokens: int) -> Tensor:
        """Return the rewards that the advantages are made of; by default the given ones.

        Args:
            rewards_PG: verified rewards.
            lengths_PG: lengths of the completions, tokens.
            max_new_tokens: the limit on one completion, tokens.

        Returns:
            Shaped rewards, P x G.
        """
        return rewards_PG

    @abstractmethod
    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Return the advantage of every sample, P x G, from shaped rewards, P x G."""

    def trains(self, advantages_PG: Tensor) -> Tensor:
        """Return, P x G, which samples have any gradient; no forward pass is owed to the others.

        A zero advantage silences the surrogate, but not a KL penalty.
        """
        return (advantages_PG != 0) | (self.config.kl_coefficient > 0)

    @abstractmethod
    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return the weight in the loss of each token of N sequences.

        Args:
            lengths_N: lengths of the completions, tokens.
            totals: the size of the whole batch, of which the N sequences may be any part.

        Returns:
            One weight a sequence, N, shared by its tokens.
        """

    def loss(self, logprobs_NT: Tensor, batch: TokenBatch) -> tuple[Tensor, LossSums]:
        """Return the loss of a micro-batch and the sums of its metrics; both add up over a batch.

        Args:
            logprobs_NT: the policy's log-probabilities of the sampled tokens, nats.
            batch: everything else about the same sequences.

        Returns:
            A scalar in fp32 whose gradient is the algorithm's, and the metrics' sums.
        """
        return clipped_surrogate(logprobs_NT, batch, self.config)
