"""From groups to micro-batches: advantages, token weights, length-sorted padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verirank.algorithms import Algorithm, BatchTotals, Group, TokenBatch
from verirank.sampling import Completion
from verirank.training._logprobs import Sequences


@dataclass(slots=True)
class MicroBatch:
    """Sequences that go through the model together, with what the loss needs of them."""

    sequences: Sequences
    tokens: TokenBatch

    def remember(self, **logprobs_NT: Tensor) -> None:
        """Keep log-probabilities for later passes: `old_NT`, `reference_NT`."""
        self.tokens = replace(self.tokens, **logprobs_NT)


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one step trains on; `groups_used` of its groups had a gradient to give."""

    parts: list[MicroBatch]
    groups_used: int


def _advantages(
    groups: Sequence[Group], algorithm: Algorithm, max_new_tokens: int
) -> tuple[Tensor, Tensor]:
    """Return advantages and which samples train, both P x G."""
    if not groups:
        return torch.zeros((0, 0)), torch.zeros((0, 0), dtype=torch.bool)
    rewards_PG = torch.tensor([[r.value for r in group.rewards] for group in groups])
    lengths_PG = torch.tensor([[len(c.tokens) for c in group.completions] for group in groups])
    shaped_PG = algorithm.shape_rewards(rewards_PG, lengths_PG, max_new_tokens)
    advantages_PG = algorithm.advantages(shaped_PG)
    return advantages_PG, algorithm.trains(advantages_PG)


def prepare(
    groups: Sequence[Group], algorithm: Algorithm, *, max_new_tokens: int, padded_tokens: int
) -> Batch:
    """Turn groups into micro-batches of similar length, leaving out what trains nothing.

    Args:
        groups: the step's groups.
        algorithm: gives advantages and the weight of each token.
        max_new_tokens: the limit on a completion.
        padded_tokens: the most tokens, padding included, of one micro-batch (a single longer
            sequence still makes one).
    """
    advantages_PG, trains_PG = _advantages(groups, algorithm, max_new_tokens)
    completions = [completion for group in groups for completion in group.completions]
    totals = BatchTotals(len(completions), sum(len(c.tokens) for c in completions), max_new_tokens)
    pairs = [
        (completion, advantage)
        for completion, advantage, trains in zip(
            completions, advantages_PG.flatten().tolist(), trains_PG.flatten().tolist(), strict=True
        )
        if trains
    ]
    pairs.sort(key=lambda pair: _length(pair[0]))
    parts = [_micro_batch(part, algorithm, totals) for part in _cut_by_tokens(pairs, padded_tokens)]
    return Batch(parts, groups_used=int(trains_PG.any(1).sum()))


def _length(completion: Completion) -> int:
    return len(completion.prompt_tokens) + len(completion.tokens)


def _cut_by_tokens(
    pairs: list[tuple[Completion, float]], padded_tokens: int
) -> Iterator[list[tuple[Completion, float]]]:
    part: list[tuple[Completion, float]] = []
    for pair in pairs:
        if part and _length(pair[0]) * (len(part) + 1) > padded_tokens:
            yield part
            part = []
        part.append(pair)
    if part:
        yield part


def _micro_batch(
    pairs: list[tuple[Completion, float]], algorithm: Algorithm, totals: BatchTotals
) -> MicroBatch:
    completions = [completion for completion, _ in pairs]
    sequences = Sequences(
        tokens_NL=_padded([c.prompt_tokens + c.tokens for c in completions]).long(),
        prompt_lengths_N=torch.tensor([len(c.prompt_tokens) for c in completions]),
        lengths_N=torch.tensor([len(c.tokens) for c in completions]),
    )
    tokens = TokenBatch(
        mask_NT=sequences.mask_NT(),
        advantages_N=torch.tensor([advantage for _, advantage in pairs]),
        weights_N=algorithm.token_weights(sequences.lengths_N, totals),
        sampler_NT=_padded([c.logprobs for c in completions]),
    )
    return MicroBatch(sequences, tokens)


def _padded(rows: Sequence[Sequence[float]]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *([0] * (width - len(row)))] for row in rows])
