"""Sampling with transformers: shared prompts, a shrinking batch, one random stream a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import accumulate, repeat
from threading import Event
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionMaskInterface, PreTrainedModel
from transformers.cache_utils import DynamicCache
from transformers.masking_utils import sdpa_mask

from verirank.models import BaseModel, ModelShape
from verirank.sampling._cache import DECODE_ATTENTION, DecodeCache
from verirank.sampling._completion import Completion, Published
from verirank.sampling._memory import CACHE_BYTES, Stretch, most_rows, shared
from verirank.sampling._packed import pack_linears
from verirank.sampling._publishing import Casting
from verirank.sampling._stop_tokens import find_stop_tokens

AttentionMaskInterface.register(DECODE_ATTENTION, sdpa_mask)

_BLOCK = 256
"""Tokens of the vocabulary whose probabilities are added up together in drawing."""
_MOST_HANDS = 2
"""Batches that are decoded at the same time; they take turns in Python."""
_LEAST_MATRIX = 2**18
"""Numbers in a feed-forward matrix below which batches are decoded one at a time.

So small a model's operations are over before another batch has had its turn in Python.
"""
_CHANGING_ROPES = {"dynamic", "longrope"}
"""Rotary embeddings that change with the lengths they have seen: of one batch at a time."""
_TOLD_EVERY = 32
"""Tokens of a sample after which whoever waits is told that it goes on."""
_COMPACT_BELOW = 0.8
"""Finished rows leave the batch once fewer than this share of its rows are still being written."""


class TransformersSampler:
    """Serves plain materialised weights of a base model's architecture."""

    def __init__(
        self,
        base: BaseModel,
        *,
        cache_bytes: int = CACHE_BYTES,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Start from the base's own weights.

        Args:
            base: the model whose architecture is served; its storage is shared, never written.
            cache_bytes: how much the keys and values of samples may take that are decoded side by
                side, were they all as long as the limit; one sample is decoded at any rate.
            on_progress: is called while samples are decoded, every few tokens, by any thread.
        """
        self._base = dict(base.model.named_parameters())
        self.tokenizer = base.tokenizer
        self._shape, self._cache_bytes = base.shape, cache_bytes
        self._on_progress = on_progress
        self._model = base.share()
        self._model.set_attn_implementation(DECODE_ATTENTION)
        self._packed = pack_linears(self._model)
        self._served = dict(self._model.named_parameters())
        self._stop_tokens = lru_cache(partial(find_stop_tokens, base.model, base.tokenizer))

    @torch.no_grad()
    def publish(self, weights: Iterable[tuple[str, Tensor]]) -> Published:
        """Serve these fp32 weights from now on; see `Sampler.publish`."""
        casting = Casting(self._base)
        for name, served in casting(weights):
            for layer in self._packed.get(name, ()):
                layer.pack(served)
            if name in self._served:
                # Out of place: until now this parameter may have shared the base's storage.
                self._served[name].data = served
        return casting.published()

    @torch.inference_mode()
    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[Sequence[int]],
        *,
        temperature: float,
        max_new_tokens: int,
        stop: str | None,
    ) -> list[list[Completion]]:
        """Return, per prompt, one completion per seed; see `Sampler.sample`."""
        prompt_tokens = [tuple(self.tokenizer(prompt).input_ids) for prompt in prompts]
        group_sizes = [len(group) for group in seeds]
        longest = max(map(len, prompt_tokens), default=0) + max_new_tokens
        rows = most_rows(self._shape, longest, self._model.dtype.itemsize, self._cache_bytes)
        hands = min(_hands(self._model, self._shape), rows)
        parts = shared(group_sizes, rows // hands, hands)
        stop_tokens = torch.tensor(self._stop_tokens(stop), device=self._model.device)

        def complete(chunk: list[Stretch], stopped: Event) -> list[list[Completion]]:
            batch = _Batch(
                self.tokenizer,
                [prompt_tokens[part.prompt] for part in chunk],
                [seeds[part.prompt][part.start : part.end] for part in chunk],
                max_new_tokens,
                self._model.device,
            )
            self._decode(batch, temperature, stop_tokens, stopped)
            return batch.completions(self.tokenizer)

        completions: list[list[Completion]] = [[] for _ in prompts]
        for chunk, groups in zip(parts, _side_by_side(complete, parts, hands), strict=True):
            for part, made in zip(chunk, groups, strict=True):
                completions[part.prompt] += made
        return completions

    @torch.inference_mode()
    def _decode(
        self, batch: _Batch, temperature: float, stop_tokens: Tensor, stopped: Event
    ) -> None:
        logits, cache = self._prefill(batch)
        rows = torch.arange(len(batch.uniforms_NT), device=self._model.device)
        room_NV = _room_to_draw(logits)
        for t in range(batch.uniforms_NT.shape[1]):
            if t % _TOLD_EVERY == 0:
                self._on_progress()
            tokens, logprobs = _draw(logits, batch.uniforms_NT[rows, t], temperature, room_NV)
            batch.tokens_NT[rows, t] = tokens
            batch.logprobs_NT[rows, t] = logprobs
            ended = torch.isin(tokens, stop_tokens) & ~batch.ended_N[rows]
            batch.lengths_N[rows[~batch.ended_N[rows]]] = t + 1
            batch.ended_N[rows[ended]] = True
            writing = ~batch.ended_N[rows]
            if not writing.any() or t + 1 == batch.uniforms_NT.shape[1] or stopped.is_set():
                return
            if writing.float().mean() < _COMPACT_BELOW:
                kept = writing.nonzero().squeeze(1)
                cache.keep(kept)
                rows, tokens = rows[kept], tokens[kept]
            logits = self._step(cache, tokens)

    def _prefill(self, batch: _Batch) -> tuple[Tensor, DecodeCache]:
        output = self._model.get_decoder()(
            input_ids=batch.prompts_PL,
            attention_mask=batch.prompt_mask_PL,
            position_ids=(batch.prompt_mask_PL.cumsum(1) - 1).clamp(min=0),
            past_key_values=DynamicCache(),
            use_cache=True,
        )
        # As a matrix: a slice of three axes would be met by a copy of the head for every prompt.
        last_PH = output.last_hidden_state[:, -1].contiguous()
        fan_out = batch.prompt_of_sample_N
        cache = DecodeCache(
            output.past_key_values, fan_out, batch.prompt_mask_PL, batch.uniforms_NT.shape[1]
        )
        head: Any = self._model.get_output_embeddings()
        return head(last_PH)[fan_out], cache

    def _step(self, cache: DecodeCache, tokens: Tensor) -> Tensor:
        # The head computes in the dtype of the weights. In fp32 it would hardly be nearer to the
        # trainer: of SmolLM2 in bf16 the KL to it was 1.1e-3 nats a token instead of 1.2e-3, and
        # 0.7e-3 is left against a trainer that is all fp32, because the layers round, too.
        bias, positions = cache.next_token()
        return self._model(
            input_ids=tokens[:, None],
            attention_mask=bias,
            position_ids=positions[:, None],
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]


def _hands(model: PreTrainedModel, shape: ModelShape) -> int:
    """Return how many batches are decoded at the same time."""
    ropes = getattr(model.config, "rope_parameters", None) or {}
    kinds = {ropes.get("rope_type")}
    if model.device.type != "cpu" or kinds & _CHANGING_ROPES:
        return 1
    if shape.hidden * shape.intermediate < _LEAST_MATRIX:
        return 1
    return min(_MOST_HANDS, torch.get_num_threads())


def _side_by_side(
    complete: Callable[[list[Stretch], Event], list[list[Completion]]],
    parts: Sequence[list[Stretch]],
    hands: int,
) -> Iterator[list[list[Completion]]]:
    """Complete parts, so many at the same time, which share the threads of this process alike.

    A token takes many small operations. They are over before a second thread has woken up, so
    threads that share each of them gain little; threads that each have a batch gain nearly all,
    unless the model is very small.
    """
    hands, stopped = min(hands, len(parts)), Event()
    if hands <= 1:
        yield from (complete(part, stopped) for part in parts)
        return
    threads = torch.get_num_threads()
    each = partial(torch.set_num_threads, threads // hands)
    try:
        with ThreadPoolExecutor(hands, initializer=each) as pool:
            try:
                yield from pool.map(complete, parts, repeat(stopped))
            finally:
                stopped.set()  # after an error or Ctrl-C nobody waits for what others still write
    finally:
        torch.set_num_threads(threads)  # of threads to come, for which the hands set their own


class _Batch:
    """The state of one decoding batch: P prompts, N samples, L prompt tokens, T new tokens."""

    def __init__(
        self,
        tokenizer,
        prompt_tokens: list[tuple[int, ...]],
        seeds: Sequence[Sequence[int]],
        max_new_tokens: int,
        device: torch.device,
    ) -> None:
        self.prompt_tokens = prompt_tokens
        self.seeds_N = [seed for group in seeds for seed in group]
        self.group_sizes = [len(group) for group in seeds]
        sizes_P = torch.tensor(self.group_sizes, device=device)
        self.prompt_of_sample_N = torch.repeat_interleave(sizes_P)
        self._pad_prompts(tokenizer.pad_token_id or 0, device)
        shape = (len(self.seeds_N), max_new_tokens)
        # float64, so that the tail of a large vocabulary is drawn as often as it should be; MPS has
        # none. Drawn on the CPU, so that a seed means the same everywhere.
        exact = torch.float32 if device.type == "mps" else torch.float64
        uniforms_NT = torch.stack([_uniforms(seed, max_new_tokens) for seed in self.seeds_N])
        self.uniforms_NT = uniforms_NT.to(device, exact)
        self.tokens_NT = torch.zeros(shape, dtype=torch.long, device=device)
        self.logprobs_NT = torch.zeros(shape, device=device)
        self.lengths_N = torch.zeros(shape[0], dtype=torch.long, device=device)
        self.ended_N = torch.zeros(shape[0], dtype=torch.bool, device=device)

    def _pad_prompts(self, pad: int, device: torch.device) -> None:
        width = max(map(len, self.prompt_tokens))
        padded = [[pad] * (width - len(tokens)) + [*tokens] for tokens in self.prompt_tokens]
        self.prompts_PL = torch.tensor(padded, device=device)
        lengths_P = torch.tensor([len(tokens) for tokens in self.prompt_tokens], device=device)
        places_L = torch.arange(width, device=device)
        self.prompt_mask_PL = (places_L >= width - lengths_P[:, None]).long()

    def completions(self, tokenizer) -> list[list[Completion]]:
        """Cut the batch into one list of completions per prompt."""
        tokens = [
            tuple(row[:length])
            for row, length in zip(self.tokens_NT.tolist(), self.lengths_N.tolist(), strict=True)
        ]
        texts = tokenizer.batch_decode([list(t) for t in tokens], skip_special_tokens=True)
        flat = [
            Completion(
                prompt_tokens=self.prompt_tokens[prompt],
                tokens=tokens[n],
                logprobs=tuple(logprobs[: len(tokens[n])]),
                text=texts[n],
                truncated=not ended,
                seed=self.seeds_N[n],
            )
            for n, (prompt, logprobs, ended) in enumerate(
                zip(
                    self.prompt_of_sample_N.tolist(),
                    self.logprobs_NT.tolist(),
                    self.ended_N.tolist(),
                    strict=True,
                )
            )
        ]
        ends = accumulate(self.group_sizes)
        return [flat[end - size : end] for end, size in zip(ends, self.group_sizes, strict=True)]


def _room_to_draw(logits_NV: Tensor) -> Tensor:
    """Return storage in which as many rows can be drawn; made anew, it is zeroed by the system."""
    whole = -(-logits_NV.shape[1] // _BLOCK) * _BLOCK
    return logits_NV.new_empty((len(logits_NV), whole), dtype=torch.float32)


def _draw(
    logits_NV: Tensor, uniforms_N: Tensor, temperature: float, room_NV: Tensor
) -> tuple[Tensor, Tensor]:
    """Invert each row's distribution at its uniform number; return tokens and log-probabilities.

    The number's place is found among the sums of blocks of tokens, then within its block, so that
    only these sums need the precision that the tail of a large vocabulary asks for. `room_NV` is
    written over.
    """
    n, vocabulary = logits_NV.shape
    padded_NV = room_NV[:n]
    blocks = padded_NV.shape[1] // _BLOCK
    padded_NV[:, vocabulary:] = float("-inf")
    padded_NV[:, :vocabulary] = logits_NV
    if temperature != 1:
        padded_NV /= temperature
    most_N1 = padded_NV.amax(1, keepdim=True)
    # In place of the logits, every token's probability but for a factor that its row shares.
    shares_NBK = padded_NV.sub_(most_N1).exp_().view(n, blocks, _BLOCK)
    until_NB = shares_NBK.sum(-1).to(uniforms_N.dtype).cumsum(-1)
    whole_N1 = until_NB[:, -1:]
    blocks_N1 = _place(until_NB, uniforms_N[:, None])
    until_N0B = nn.functional.pad(until_NB, (1, 0))
    before_N1, after_N1 = (until_N0B.gather(1, blocks_N1 + end) for end in (0, 1))
    inside_NK = shares_NBK[torch.arange(n, device=logits_NV.device), blocks_N1[:, 0]]
    # Within the block by share again, because its own sum is rounded otherwise than the blocks'.
    share_N1 = (uniforms_N[:, None] * whole_N1 - before_N1) / (after_N1 - before_N1)
    places_N1 = _place(inside_NK.to(uniforms_N.dtype).cumsum(-1), share_N1)
    tokens_N1 = (blocks_N1 * _BLOCK + places_N1).clamp(max=vocabulary - 1)
    chosen_N1 = logits_NV.gather(1, tokens_N1).float() / temperature
    logprobs_N1 = chosen_N1 - most_N1 - whole_N1.float().log()
    return tokens_N1[:, 0], logprobs_N1[:, 0]


def _place(until_NK: Tensor, share_N1: Tensor) -> Tensor:
    """Return the first place whose running sum is above a share of the row's total, N x 1.

    Rounding never leads behind the last place that has a part of the total. Of a row that is not
    a number it is the last one.
    """
    whole_N1 = until_NK[:, -1:].contiguous()
    below_N1 = torch.nextafter(whole_N1, torch.zeros_like(whole_N1))
    target_N1 = torch.minimum(share_N1 * whole_N1, below_N1)
    return torch.searchsorted(until_NK, target_N1, right=True).clamp(max=until_NK.shape[1] - 1)


def _uniforms(seed: int, n: int) -> Tensor:
    random = torch.Generator("cpu").manual_seed(seed)
    return torch.rand(n, generator=random, dtype=torch.float64, device="cpu")
