"""Sampling with transformers: shared prompts, samples that take turns, a random stream for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from verirank.kernels import DECODE_ATTENTION, in_blocks, pack_linears
from verirank.models import BaseModel, ModelShape, cache_key
from verirank.sampling._completion import Completion, Finished, Order, Orders, Published, Reply
from verirank.sampling._decoder import Decoder, Given, Part, parts_of
from verirank.sampling._drawing import draw, exact_on, storage_for_drawing, uniforms
from verirank.sampling._hands import IDLE_SECONDS, Dispatch, side_by_side
from verirank.sampling._memory import CACHE_BYTES, most_rows
from verirank.sampling._publishing import Casting
from verirank.sampling._replies import with_replies
from verirank.sampling._stop_tokens import find_stop_tokens

_MOST_HANDS = 2
"""Batches that are decoded at the same time; they take turns in Python."""
_LEAST_MATRIX = 2**18
"""Numbers in a feed-forward matrix below which batches are decoded one at a time.

So small a model's operations are over before another batch has had its turn in Python.
"""
_SCANNED_ROWS = 16
"""Most rows that are decoded together by a model with a state space.

For each row, transformers' plain scan holds chunk^2 x heads x state numbers several times over.
"""
_CHANGING_ROPES = {"dynamic", "longrope"}
"""Rotary embeddings that change with the lengths they have seen: of one batch at a time."""
_PROGRESS_EVERY = 32
"""Tokens of a sample between two calls of `on_progress`."""

Handover = tuple[Given, dict[int, list[Part]]]
"""What a hand leaves to another: samples, and the parts of their orders."""


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
        self._base = base.weights
        self.tokenizer = base.tokenizer
        self._shape, self._cache_bytes = base.shape, cache_bytes
        self._on_progress = on_progress
        self._model = base.share_plain()
        self._plain = base.form is not None
        self._scans = any(kind in (base.form or "") for kind in ("linear_attention", "hybrid"))
        self._caches = not self._plain or base.caches
        if not self._plain:
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

    def stream(
        self,
        orders: Orders,
        *,
        longest: int,
        temperature: float,
        stop: str | None,
        reply: Reply | None = None,
    ) -> Generator[list[Finished]]:
        """Decode orders side by side, yielding those that finish; see `Sampler.stream`."""
        decode = partial(self._turns, longest=longest, temperature=temperature, stop=stop)
        return with_replies(decode, orders, self.tokenizer, stop, reply)

    def _turns(
        self, orders: Orders, *, longest: int, temperature: float, stop: str | None
    ) -> Generator[list[Finished]]:
        """Decode orders side by side, each of one turn."""
        longest = in_blocks(longest)
        rows = most_rows(self._shape, longest, self._model.dtype.itemsize, self._cache_bytes)
        stop_tokens = self._stop_tokens(stop)
        rows = min(rows, _SCANNED_ROWS) if self._scans else rows
        if self._plain:
            yield from self._stream_plainly(orders, rows, temperature, stop_tokens)
            return
        hands = min(_hands(self._model, self._shape), rows)
        slots = rows // hands

        def decode(dispatch: Dispatch[Handover], hand: int) -> Iterator[list[Finished]]:
            decoder = Decoder(
                self._model,
                self.tokenizer,
                slots=slots,
                longest=longest,
                temperature=temperature,
                stop_tokens=stop_tokens,
            )
            return self._decode(decoder, dispatch, hand, slots)

        yield from side_by_side(decode, orders, hands, slots)

    def _decode(
        self, decoder: Decoder, dispatch: Dispatch[Handover], hand: int, slots: int
    ) -> Iterator[list[Finished]]:
        """Decode a token of every sample a turn; give each turn what has finished in it."""
        waiting: list[Part] = []
        unfinished: dict[int, list[Part]] = {}
        turns = 0
        while True:
            if not waiting and dispatch.may_give(hand, decoder.running):
                load = decoder.running
                dispatch.give((decoder.give(), unfinished), load)
                unfinished = {}
            if (handover := dispatch.given(hand, decoder.free)) is not None:
                decoder.take_over(handover[0])
                unfinished |= handover[1]
            beginning: list[Part] = []
            free = decoder.free
            while free:
                if not waiting:
                    if (order := dispatch.take(hand, slots - free)) is None:
                        break
                    parts = list(self._parts(order, slots))
                    waiting, unfinished[order.index] = [*parts], parts
                if len(waiting[0].seeds) > free:
                    break
                beginning.append(waiting.pop(0))
                free -= len(beginning[-1].seeds)
            ended = decoder.begin(beginning) if beginning else []
            if decoder.running:
                if turns % _PROGRESS_EVERY == 0:
                    self._on_progress()
                turns += 1
                ended += decoder.step()
            elif not ended:
                time.sleep(IDLE_SECONDS)
            yield [
                (index, completions_of(unfinished.pop(index)))
                for index in dict.fromkeys(part.order for part in ended)
                if all(part.is_finished for part in unfinished[index])
            ]

    def _parts(self, order: Order, slots: int) -> Iterator[Part]:
        return parts_of(order.index, order.prompt_tokens, order.seeds, order.limits, slots)

    def _stream_plainly(
        self, orders: Orders, rows: int, temperature: float, stop_tokens: Sequence[int]
    ) -> Generator[list[Finished]]:
        """Decode one order after the other by transformers' own forward pass.

        By its cache, or, where that is not exact, from the whole text anew for every token. The
        samples of an order have one prompt: without padding, no layer (attention, convolution or
        recurrence) sees a token too many.
        """
        while True:
            if (order := orders()) is None:
                time.sleep(IDLE_SECONDS)
                yield []
                continue
            parts = list(self._parts(order, rows))
            for part in parts:
                yield from ([] for _ in self._decode_plainly(part, temperature, stop_tokens))
            yield [(order.index, completions_of(parts))]

    def _decode_plainly(
        self, part: Part, temperature: float, stop_tokens: Sequence[int]
    ) -> Iterator[None]:
        """Complete the samples of a part, a token a turn."""
        device = self._model.device
        inputs_NT = torch.tensor([part.prompt] * len(part.seeds), device=device)
        random_N = [
            uniforms(seed, limit).to(device, exact_on(device))
            for seed, limit in zip(part.seeds, part.limits, strict=True)
        ]
        tokens_N: list[list[int]] = [[] for _ in part.seeds]
        logprobs_N: list[list[float]] = [[] for _ in part.seeds]
        cache: Any = None
        key = cache_key(self._model)
        storage_NV: Tensor | None = None
        for t in range(max(part.limits)):
            if t % _PROGRESS_EVERY == 0:
                self._on_progress()
            with torch.inference_mode():
                cached = {"use_cache": True, key: cache} if self._caches else {}
                output = self._model(input_ids=inputs_NT, **cached)
                logits_NV, cache = output.logits[:, -1], getattr(output, key, None)
                storage_NV = storage_for_drawing(logits_NV) if storage_NV is None else storage_NV
                uniforms_N = torch.stack([row[min(t, len(row) - 1)] for row in random_N])
                drawn_N, drawn_logprobs_N = draw(logits_NV, uniforms_N, temperature, storage_NV)
                read_NT = inputs_NT[:, :0] if self._caches else inputs_NT
                inputs_NT = torch.cat([read_NT, drawn_N[:, None]], dim=1)
            drawn = zip(drawn_N.tolist(), drawn_logprobs_N.tolist(), strict=True)
            for sample, (token, logprob) in enumerate(drawn):
                if sample in part.ended:
                    continue
                tokens_N[sample].append(token)
                logprobs_N[sample].append(logprob)
                stopped = token in stop_tokens
                if stopped or len(tokens_N[sample]) == part.limits[sample]:
                    part.end(sample, tokens_N[sample], logprobs_N[sample], stopped, self.tokenizer)
            if part.is_finished:
                return
            yield


def completions_of(parts: Sequence[Part]) -> list[Completion]:
    """Return the completions of an order whose parts have finished, in the order of its seeds."""
    return [part.ended[sample] for part in parts for sample in range(len(part.seeds))]


def _hands(model: PreTrainedModel, shape: ModelShape) -> int:
    """Return how many batches are decoded at the same time."""
    ropes = getattr(model.config, "rope_parameters", None) or {}
    kinds = {ropes.get("rope_type")}
    if model.device.type != "cpu" or kinds & _CHANGING_ROPES:
        return 1
    if shape.hidden * shape.intermediate < _LEAST_MATRIX:
        return 1
    return min(_MOST_HANDS, torch.get_num_threads())
