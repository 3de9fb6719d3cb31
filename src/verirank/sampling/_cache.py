"""Key-value storage for decoding: a prompt's prefix fanned out to its samples, never copied."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward


class _PreallocatedLayer(CacheLayerMixin):
    """Keys and values of one layer, N x heads x capacity x head_dim, filled up to `length`."""

    def __init__(self, keys: Tensor, values: Tensor, length: int) -> None:
        super().__init__()
        self.key_room, self.value_room, self.length = keys, values, length
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Do nothing: the storage is there from the start."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        end = self.length + key_states.shape[2]
        self.key_room[:, :, self.length : end] = key_states
        self.value_room[:, :, self.length : end] = value_states
        self.length = end
        return self.key_room[:, :, :end], self.value_room[:, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return self.key_room.shape[2]


class DecodeCache(Cache):
    """The cache of N samples that share P prompts."""

    def __init__(self, prompts: Cache, prompt_of_sample: Tensor, max_new_tokens: int) -> None:
        self._layers = [
            _fan_out(layer.keys, layer.values, prompt_of_sample, max_new_tokens)
            for layer in prompts.layers
            if isinstance(layer, DynamicLayer)
        ]
        super().__init__(layers=list(self._layers))

    def keep(self, rows: Tensor) -> None:
        """Drop every sample but these, given by their present row numbers."""
        for layer in self._layers:
            layer.key_room = _kept(layer.key_room, rows, layer.length)
            layer.value_room = _kept(layer.value_room, rows, layer.length)


def _fan_out(
    keys: Tensor | None, values: Tensor | None, prompt_of_sample: Tensor, max_new_tokens: int
) -> _PreallocatedLayer:
    """Return a layer in which every sample begins with its prompt's keys and values."""
    assert keys is not None and values is not None
    length, rooms = keys.shape[2], []
    for stored in (keys, values):
        _, heads, _, dim = stored.shape
        room = stored.new_empty((len(prompt_of_sample), heads, length + max_new_tokens, dim))
        room[:, :, :length] = stored[prompt_of_sample]
        rooms.append(room)
    return _PreallocatedLayer(rooms[0], rooms[1], length)


def _kept(stored: Tensor, rows: Tensor, length: int) -> Tensor:
    """Copy the filled part of some rows into storage of the same capacity."""
    room = stored.new_empty((len(rows), *stored.shape[1:]))
    room[:, :, :length] = stored[rows, :, :length]
    return room


def _decode_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend with one query a sample, grouping query heads instead of copying keys and values."""
    n, heads, queries, dim = query.shape
    if queries > 1 or attention_mask is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    grouped = query.view(n, key.shape[1], -1, dim)
    scores = torch.matmul(grouped, key.transpose(-1, -2)) * (scaling or dim**-0.5)
    scores = scores.masked_fill(~attention_mask, float("-inf"))
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    mixed = torch.matmul(weights, value)
    return mixed.reshape(n, 1, heads, dim), None


DECODE_ATTENTION = "verirank_decode"
AttentionInterface.register(DECODE_ATTENTION, _decode_attention)
