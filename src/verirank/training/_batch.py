"""From groups to micro-batches: advantages, token weights, length-sorted padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import compress
from typing import TypeVar

import torch
from torch import Tensor

from verirank.algorithms import Algorithm, BatchTotals, Group, TokenBatch
from verirank.processes import count, rank
from verirank.sampling import Completion
from verirank.training._logprobs import Sequences

T = TypeVar("T", Sequences, TokenBatch)
Row = list[tuple[Completion, float]]
"""Completions of one prompt that go through the model behind it, each with its advantage."""


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

    def share(self, device: torch.device) -> Batch:
        """Return what this process trains on: as many micro-batches as every other, on its device.

        Where they do not come out even, silent ones fill up, because the passes of a sharded model
        are taken by all processes together. The sum over the processes is the batch.
        """
        missing = -len(self.parts) % count()
        parts = self.parts + [self.parts[0].silent() for _ in range(missing)]
        return replace(self, parts=[part.to(device) for part in parts[rank() :: count()]])


def advantages_of(groups: Sequence[Group], algorithm: Algorithm, max_new_tokens: int) -> Tensor:
    """Return the advantage of every sample of at least one group, P x G."""
    rewards_PG = torch.tensor([[r.value for r in group.rewards] for group in groups])
    lengths_PG = torch.tensor([[len(c.tokens) for c in group.completions] for group in groups])
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
    rows = _rows(groups, advantages_PG.tolist(), trains_PG.tolist())
    rows.sort(key=_row_length)
    parts = [_micro_batch(part, algorithm, totals) for part in _cut_by_tokens(rows, padded_tokens)]
    return Batch(parts, groups_used=int(trains_PG.any(1).sum()))


def _rows(
    groups: Sequence[Group], advantages_PG: list[list[float]], trains_PG: list[list[bool]]
) -> list[Row]:
    """Put completions of a prompt into one row for as long as they are shorter than the prompt.

    There a shared prompt saves most; long completions side by side would cost attention instead.
    """
    rows: list[Row] = []
    for group, advantages, trains in zip(groups, advantages_PG, trains_PG, strict=True):
        row: Row = []
        for completion, advantage in compress(
            zip(group.completions, advantages, strict=True), trains
        ):
            together = sum(len(c.tokens) for c, _ in row) + len(completion.tokens)
            if row and together > len(completion.prompt_tokens):
                rows.append(row)
                row = []
            row.append((completion, advantage))
        if row:
            rows.append(row)
    return rows


def _row_length(row: Row) -> int:
    return len(row[0][0].prompt_tokens) + sum(len(c.tokens) for c, _ in row)


def _cut_by_tokens(rows: list[Row], padded_tokens: int) -> Iterator[list[Row]]:
    part: list[Row] = []
    for row in rows:
        if part and _row_length(row) * (len(part) + 1) > padded_tokens:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _micro_batch(rows: list[Row], algorithm: Algorithm, totals: BatchTotals) -> MicroBatch:
    completions = [completion for row in rows for completion, _ in row]
    sequences = _sequences(rows)
    tokens = TokenBatch(
        mask_NT=sequences.mask_NT(),
        advantages_N=torch.tensor([advantage for row in rows for _, advantage in row]),
        weights_N=algorithm.token_weights(sequences.lengths_N, totals),
        sampler_NT=_padded([c.logprobs for c in completions]),
    )
    return MicroBatch(sequences, tokens)


def _sequences(rows: list[Row]) -> Sequences:
    tokens, parts, places = [], [], []
    for number, row in enumerate(rows):
        prompt = row[0][0].prompt_tokens
        row_tokens, row_parts = [*prompt], [0] * len(prompt)
        for part, (completion, _) in enumerate(row, start=1):
            places.append((number, len(row_tokens), len(completion.tokens), len(prompt)))
            row_tokens += completion.tokens
            row_parts += [part] * len(completion.tokens)
        tokens.append(row_tokens)
        parts.append(row_parts)
    row_N, start_N, lengths_N, prompt_lengths_N = torch.tensor(places).T
    return Sequences(_padded(tokens), _padded(parts), row_N, start_N, lengths_N, prompt_lengths_N)


def _padded(rows: Sequence[Sequence[float]]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *([0] * (width - len(row)))] for row in rows])
