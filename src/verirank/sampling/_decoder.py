"""Decoding with one token a step for every sample: one that ends gives its slot to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from verirank.kernels import DecodeCache
from verirank.sampling._completion import Completion
from verirank.sampling._drawing import draw, exact_on, storage_for_drawing, uniforms

_ROWS = 16
"""Products of a CPU have rows in multiples of this, so that how one is rounded does not depend on
how many stand beside it: MKL computes the last one to three of another number otherwise."""
_COMPACT_BELOW = 0.8
"""Ended samples leave the batch once less than this fraction of its rows is unfinished."""


@dataclass(slots=True)
class Part:
    """Samples of one prompt that begin together, and what has become of them."""

    order: int
    first: int
    prompt: tuple[int, ...]
    seeds: Sequence[int]
    limits: Sequence[int]
    ended: dict[int, Completion] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether all samples have ended."""
        return len(self.ended) == len(self.seeds)

    def end(
        self, sample: int, tokens: list[int], logprobs: list[float], stopped: bool, tokenizer: Any
    ) -> None:
        """Keep a sample that has ended, by a stop token or at its limit."""
        self.ended[sample] = Completion(
            prompt_tokens=self.prompt,
            tokens=tuple(tokens),
            logprobs=tuple(logprobs),
            text=tokenizer.decode(tokens, skip_special_tokens=True),
            truncated=not stopped,
            seed=self.seeds[sample],
        )


@dataclass(frozen=True, slots=True)
class Given:
    """Unfinished samples that one decoder gives to another: whose they are, and their state."""

    owners: list[tuple[Part, int]]
    cached: tuple[Tensor, list[tuple[Tensor, Tensor]]]
    rows: tuple[Tensor, ...]
    """Random numbers, tokens and log-probabilities, N x tokens."""
    numbers: tuple[Tensor, ...]
    """Tokens so far, their limit, and the last token, N."""


class Decoder:
    """Samples in slots; those of the first `rows` slots are decoded, some of which have ended."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Any,
        *,
        slots: int,
        longest: int,
        temperature: float,
        stop_tokens: Sequence[int],
    ) -> None:
        """Hold so many samples of at most `longest` tokens, those of their prompt included."""
        device = model.device
        self._model, self._tokenizer, self._temperature = model, tokenizer, temperature
        self._cache = DecodeCache(slots, longest, device)
        self._fill = _ROWS if device.type == "cpu" else 1
        self._stop = torch.tensor(stop_tokens, dtype=torch.long, device=device)
        self._owners: list[tuple[Part, int] | None] = [None] * slots
        self.rows, self.running = 0, 0
        self._uniforms_ST = torch.zeros((slots, 0), dtype=exact_on(device), device=device)
        self._tokens_ST = torch.zeros((slots, 1), dtype=torch.long, device=device)
        self._logprobs_ST = torch.zeros((slots, 1), device=device)
        self._lengths_S = torch.zeros(slots, dtype=torch.long, device=device)
        self._limits_S = torch.zeros(slots, dtype=torch.long, device=device)
        self._last_S = torch.zeros(slots, dtype=torch.long, device=device)
        self._running_S = torch.zeros(slots, dtype=torch.bool, device=device)
        self._storage_NV: Tensor | None = None

    @property
    def free(self) -> int:
        """How many more samples can begin."""
        return len(self._owners) - self.running

    @torch.inference_mode()
    def begin(self, parts: Sequence[Part]) -> list[Part]:
        """Read prompts and draw the first tokens of their samples; return parts that have ended.

        Prompts are read beside others of about their length, so that each is padded to the same
        length whatever the others are.
        """
        widths: dict[int, list[Part]] = defaultdict(list)
        for part in parts:
            widths[_up_to(len(part.prompt), _ROWS)].append(part)
        return [done for width, alike in widths.items() for done in self._read(alike, width)]

    @torch.inference_mode()
    def step(self) -> list[Part]:
        """Draw one more token of every sample that has not ended; return parts that have."""
        if self.running < _COMPACT_BELOW * self.rows:
            self._compact()
        n, filled = self.rows, _up_to(self.rows, self._fill)
        bias, positions_N = self._cache.next_token(self._running_S[:n])
        pad = torch.nn.functional.pad
        logits_NV = self._model(
            input_ids=pad(self._last_S[:n], (0, filled - n))[:, None],
            attention_mask=bias,
            position_ids=pad(positions_N, (0, filled - n))[:, None],
            past_key_values=self._cache,
            use_cache=True,
        ).logits[:n, -1]
        return self._draw(torch.arange(n, device=logits_NV.device), logits_NV)

    @torch.inference_mode()
    def give(self) -> Given:
        """Part with all samples that have not ended, for another decoder to continue."""
        self._compact()
        n = self.running
        owners = [owner for owner in self._owners[:n] if owner is not None]
        given = Given(
            owners,
            self._cache.give(n),
            tuple(rows[:n].clone() for rows in self._by_token),
            tuple(numbers[:n].clone() for numbers in self._by_sample),
        )
        self._owners[:n] = [None] * n
        self._running_S[:n] = False
        self.rows, self.running = 0, 0
        return given

    @torch.inference_mode()
    def take_over(self, given: Given) -> None:
        """Continue another decoder's samples, for which there has to be room."""
        slots_N = self._occupy(given.owners)
        self._widen(max(part.limits[sample] for part, sample in given.owners))
        for mine, theirs in zip(self._by_token, given.rows, strict=True):
            width = min(mine.shape[1], theirs.shape[1])
            mine[slots_N, :width] = theirs[:, :width]
        for mine, theirs in zip(self._by_sample, given.numbers, strict=True):
            mine[slots_N] = theirs
        self._cache.take_over(slots_N, *given.cached)

    @property
    def _by_token(self) -> tuple[Tensor, ...]:
        return self._uniforms_ST, self._tokens_ST, self._logprobs_ST

    @property
    def _by_sample(self) -> tuple[Tensor, ...]:
        return self._lengths_S, self._limits_S, self._last_S

    def _read(self, parts: list[Part], width: int) -> list[Part]:
        device = self._model.device
        padded = [[*part.prompt, *[0] * (width - len(part.prompt))] for part in parts]
        output = self._model.get_decoder()(
            input_ids=torch.tensor(padded, device=device),
            past_key_values=DynamicCache(),
            use_cache=True,
        )
        lengths = [len(part.prompt) for part in parts]
        slots_N = self._assign_slots(parts)
        prompt_of_slot_N = torch.repeat_interleave(
            torch.tensor([len(part.seeds) for part in parts], device=device)
        )
        self._cache.join(output.past_key_values, lengths, slots_N, prompt_of_slot_N)
        last_P = torch.tensor(lengths, device=device) - 1
        filled = _up_to(len(parts), self._fill)
        # As a matrix: a slice of three axes would be met by a copy of the head for every prompt.
        last_PH = output.last_hidden_state[torch.arange(len(parts), device=device), last_P]
        head: Any = self._model.get_output_embeddings()
        logits_PV = head(torch.nn.functional.pad(last_PH, (0, 0, 0, filled - len(parts))))
        return self._draw(slots_N, logits_PV[prompt_of_slot_N])

    def _assign_slots(self, parts: list[Part]) -> Tensor:
        """Give the samples of parts slots, those of ended ones first; return the slots."""
        slots_N = self._occupy([(part, n) for part in parts for n in range(len(part.seeds))])
        limits = [limit for part in parts for limit in part.limits]
        self._widen(max(limits))
        random = (
            uniforms(seed, limit)
            for part in parts
            for seed, limit in zip(part.seeds, part.limits, strict=True)
        )
        rows = torch.nn.utils.rnn.pad_sequence(list(random), batch_first=True)
        self._uniforms_ST[slots_N, : rows.shape[1]] = rows.to(self._uniforms_ST)
        self._limits_S[slots_N] = torch.tensor(limits, device=slots_N.device)
        self._lengths_S[slots_N] = 0
        return slots_N

    def _occupy(self, samples: Sequence[tuple[Part, int]]) -> Tensor:
        """Give samples the first free slots; return these."""
        free = (slot for slot, owner in enumerate(self._owners) if owner is None)
        taken = list(islice(free, len(samples)))
        for slot, owner in zip(taken, samples, strict=True):
            self._owners[slot] = owner
        self.rows = max(self.rows, max(taken) + 1)
        self.running += len(taken)
        slots_N = torch.tensor(taken, device=self._model.device)
        self._running_S[slots_N] = True
        return slots_N

    def _widen(self, tokens: int) -> None:
        """Have room for samples of so many tokens; an ended one writes into one more."""
        more = tokens + 1 - self._tokens_ST.shape[1]
        if more > 0:
            pad = torch.nn.functional.pad
            self._tokens_ST = pad(self._tokens_ST, (0, more))
            self._logprobs_ST = pad(self._logprobs_ST, (0, more))
            self._uniforms_ST = pad(self._uniforms_ST, (0, tokens + 1 - self._uniforms_ST.shape[1]))

    def _draw(self, slots_N: Tensor, logits_NV: Tensor) -> list[Part]:
        """Draw the next token of samples; return the parts all of whose samples have ended."""
        if self._storage_NV is None or len(self._storage_NV) < len(slots_N):
            self._storage_NV = storage_for_drawing(logits_NV)
        lengths_N, was_running_N = self._lengths_S[slots_N], self._running_S[slots_N]
        uniforms_N = self._uniforms_ST[slots_N, lengths_N]
        tokens_N, logprobs_N = draw(logits_NV, uniforms_N, self._temperature, self._storage_NV)
        self._tokens_ST[slots_N, lengths_N] = tokens_N
        self._logprobs_ST[slots_N, lengths_N] = logprobs_N
        self._last_S[slots_N] = tokens_N
        lengths_N = lengths_N + was_running_N
        self._lengths_S[slots_N] = lengths_N
        stopped_N = torch.isin(tokens_N, self._stop)
        ended_N = was_running_N & (stopped_N | (lengths_N >= self._limits_S[slots_N]))
        self._running_S[slots_N] = was_running_N & ~ended_N
        ended = slots_N[ended_N].tolist()
        stopped = stopped_N[ended_N].tolist()
        self.running -= len(ended)
        done = (self._end(slot, by) for slot, by in zip(ended, stopped, strict=True))
        return [part for part in done if part is not None]

    def _end(self, slot: int, stopped: bool) -> Part | None:
        """Take an ended sample out of its slot; return its part where it was the last."""
        owner = self._owners[slot]
        assert owner is not None
        part, sample = owner
        length = int(self._lengths_S[slot])
        tokens = self._tokens_ST[slot, :length].tolist()
        logprobs = self._logprobs_ST[slot, :length].tolist()
        part.end(sample, tokens, logprobs, stopped, self._tokenizer)
        self._owners[slot] = None
        return part if part.is_finished else None

    def _compact(self) -> None:
        """Move samples that go on into the slots of those that ended before them."""
        running = self.running
        sources = [slot for slot in range(running, self.rows) if self._owners[slot] is not None]
        holes = [slot for slot in range(running) if self._owners[slot] is None]
        if sources:
            from_N, to_N = (torch.tensor(s, device=self._last_S.device) for s in (sources, holes))
            self._cache.move(from_N, to_N)
            for state in (*self._by_token, *self._by_sample, self._running_S):
                state[to_N] = state[from_N]
            for source, hole in zip(sources, holes, strict=True):
                self._owners[hole], self._owners[source] = self._owners[source], None
        self.rows = running


def _up_to(number: int, multiple: int) -> int:
    """Return the first multiple that is no less than a number."""
    return -(-number // multiple) * multiple


def parts_of(
    order: int, prompt: tuple[int, ...], seeds: Sequence[int], limits: Sequence[int], slots: int
) -> Iterator[Part]:
    """Yield the samples of a prompt, as many at once as there are slots."""
    for first in range(0, len(seeds), slots):
        chosen = slice(first, first + slots)
        yield Part(order, first, prompt, seeds[chosen], limits[chosen])
