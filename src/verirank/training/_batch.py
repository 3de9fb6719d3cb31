"""From groups to micro-batches: advantages, token weights, completions of like length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import compress
from sys import maxsize
from typing import TypeVar

import torch
from torch import Tensor

from verirank.algorithms import Algorithm, BatchTotals, Group, TokenBatch
from verirank.kernels import Sequences
from verirank.processes import count, rank
from verirank.sampling import Completion

T = TypeVar("T", Sequences, TokenBatch)
Siblings = list[tuple[Completion, float]]
"""Completions of one prompt, packed behind it together, each with its advantage."""


@dataclass(slots=True)
class MicroBatch:
    """Sequences that go through the model together, with what the loss needs of them."""

    sequences: Sequences
    tokens: TokenBatch

    def remember(self, **logprobs_NT: Tensor) -> None:
        """Keep log-probabilities for later passes: `old_NT`, `reference_NT`."""
        self.tokens = replace(self.tokens, **logprobs_NT)

    def to(self, device: torch.device) -> MicroBatch:
        """Return the micro-batch on a device."""
        return MicroBatch(_on(device, self.sequences), _on(device, self.tokens))

    def silent(self) -> MicroBatch:
        """Return the same sequences with neither loss nor metrics."""
        mask_NT, weights_N = self.tokens.mask_NT, self.tokens.weights_N
        nothing = {
            "mask_NT": torch.zeros_like(mask_NT),
            "weights_N": torch.zeros_like(weights_N),
        }
        return MicroBatch(self.sequences, replace(self.tokens, **nothing))


def _on(device: torch.device, tensors: T) -> T:
    held = {f.name: getattr(tensors, f.name) for f in fields(tensors)}
    return replace(tensors, **{n: t.to(device) for n, t in held.items() if t is not None})


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one step trains on; `groups_used` of its groups had a gradient to give."""

    parts: list[MicroBatch]
    groups_used: int

    def own_part(self, device: torch.device) -> Batch:
        """Return the micro-batches of this process, on its device, as many as every other has.

        Where the number is not divisible, micro-batches of weight zero fill up: all processes take
        the passes of a sharded model together. The sum over the processes is the batch.
        """
        missing = -len(self.parts) % count()
        parts = self.parts + [self.parts[0].silent() for _ in range(missing)]
        return replace(self, parts=[part.to(device) for part in parts[rank() :: count()]])


def advantages_of(groups: Sequence[Group], algorithm: Algorithm, max_new_tokens: int) -> Tensor:
    """Return the advantage of every sample of at least one group, P x G."""
    rewards_PG = torch.tensor([[r.value for r in group.rewards] for group in groups])
    lengths_PG = torch.tensor([[c.length for c in group.completions] for group in groups])
    shaped_PG = algorithm.shape_rewards(rewards_PG, lengths_PG, max_new_tokens)
    return algorithm.advantages(shaped_PG)


def _advantages(
    groups: Sequence[Group], algorithm: Algorithm, max_new_tokens: int
) -> tuple[Tensor, Tensor]:
    """Return advantages and which samples train, both P x G."""
    if not groups:
        return torch.zeros((0, 0)), torch.zeros((0, 0), dtype=torch.bool)
    advantages_PG = advantages_of(groups, algorithm, max_new_tokens)
    return advantages_PG, algorithm.trains(advantages_PG)


def prepare(
    groups: Sequence[Group],
    algorithm: Algorithm,
    *,
    max_new_tokens: int,
    most_tokens: int,
    most_padded: int | None = None,
) -> Batch:
    """Turn groups into micro-batches of similar length, leaving out what trains nothing.

    Args:
        groups: the step's groups.
        algorithm: gives advantages and the weight of each token.
        max_new_tokens: the limit on a completion.
        most_tokens: of one micro-batch, its prompts once (a single longer sequence still makes
            one).
        most_padded: tokens of one micro-batch, were each of its completions, behind its prompt, as
            long as the longest; None for any number.
    """
    advantages_PG, trains_PG = _advantages(groups, algorithm, max_new_tokens)
    parts = micro_batches(
        *(groups, algorithm, advantages_PG, trains_PG),
        max_new_tokens=max_new_tokens,
        most_tokens=most_tokens,
        most_padded=most_padded,
    )
    return Batch(parts, groups_used=int(trains_PG.any(1).sum()))


def micro_batches(
    groups: Sequence[Group],
    algorithm: Algorithm,
    advantages_PG: Tensor,
    taken_PG: Tensor,
    *,
    max_new_tokens: int,
    most_tokens: int,
    most_padded: int | None = None,
) -> list[MicroBatch]:
    """Return the samples of groups that are taken, in micro-batches of similar length.

    Args:
        groups: P groups.
        algorithm: gives the weight of each token.
        advantages_PG: of every sample.
        taken_PG: which samples are wanted.
        max_new_tokens: the limit on a completion.
        most_tokens: as `prepare` has it.
        most_padded: as `prepare` has it.
    """
    capacity = _Capacity(most_tokens, most_padded or maxsize)
    completions = [completion for group in groups for completion in group.completions]
    totals = BatchTotals(len(completions), sum(c.length for c in completions), max_new_tokens)
    families = [
        part
        for group, advantages, taken in zip(
            groups, advantages_PG.tolist(), taken_PG.tolist(), strict=True
        )
        for part in _siblings(group, advantages, taken, capacity)
    ]
    # Attention pads to the longest completion of a micro-batch.
    families.sort(key=lambda siblings: (len(siblings[-1][0].tokens), _tokens(siblings)))
    return [_micro_batch(part, algorithm, totals) for part in _cut(families, capacity)]


@dataclass(frozen=True, slots=True)
class _Capacity:
    """What fits into a micro-batch, as `prepare` has it."""

    tokens: int
    padded: int

    def holds(self, families: Sequence[Siblings]) -> bool:
        """Return whether these fit, whose completions are in the order of their length."""
        rows = sum(map(len, families))
        longest = max(
            len(siblings[-1][0].prompt_tokens) + len(siblings[-1][0].tokens)
            for siblings in families
        )
        return sum(map(_tokens, families)) <= self.tokens and rows * longest <= self.padded


def _siblings(
    group: Group, advantages: list[float], taken: list[bool], capacity: _Capacity
) -> Iterator[Siblings]:
    """Yield what is taken of a group, the shortest first, as many at once as there may be."""
    samples = compress(zip(group.completions, advantages, strict=True), taken)
    part: Siblings = []
    for sample in sorted(samples, key=lambda sample: len(sample[0].tokens)):
        if part and not capacity.holds([[*part, sample]]):
            yield part
            part = []
        part.append(sample)
    if part:
        yield part


def _tokens(siblings: Siblings) -> int:
    return len(siblings[0][0].prompt_tokens) + sum(len(c.tokens) for c, _ in siblings)


def _cut(families: list[Siblings], capacity: _Capacity) -> Iterator[list[Siblings]]:
    part: list[Siblings] = []
    for siblings in families:
        if part and not capacity.holds([*part, siblings]):
            yield part
            part = []
        part.append(siblings)
    if part:
        yield part


def _micro_batch(families: list[Siblings], algorithm: Algorithm, totals: BatchTotals) -> MicroBatch:
    sequences = pack(families)
    samples = [sample for siblings in families for sample in siblings]
    own_NT = _padded([completion.own for completion, _ in samples])
    tokens = TokenBatch(
        mask_NT=own_NT,
        advantages_N=torch.tensor([advantage for _, advantage in samples]),
        weights_N=algorithm.token_weights(own_NT.sum(1), totals),
        sampler_NT=_padded([completion.logprobs for completion, _ in samples]),
    )
    return MicroBatch(sequences, tokens)


def pack(families: Sequence[Siblings]) -> Sequences:
    """Pack completions behind their prompts."""
    return Sequences.pack(
        [
            (siblings[0][0].prompt_tokens, [completion.tokens for completion, _ in siblings])
            for siblings in families
        ]
    )


def _padded(rows: Sequence[Sequence[float]] | Sequence[Sequence[bool]]) -> Tensor:
    """Return rows of a kind, with zeros, or False, behind those that are shorter."""
    width, nothing = max(map(len, rows)), type(rows[0][0])()
    return torch.tensor([[*row, *([nothing] * (width - len(row)))] for row in rows])
