"""Key-value storage for decoding: one prompt's prefix fanned out to its samples, no re-allocation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward


class _PreallocatedLayer(CacheLayerMixin):
    """Keys and values of one layer, N x heads x capacity x head_dim, filled up to `length`."""

    def __init__(self, keys: Tensor, values: Tensor, length: int) -> None:
        super().__init__()
        self.keys, self.values, self.length = keys, values, length
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Do nothing: the storage is there from the start."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        end = self.length + key_states.shape[2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return self.keys.shape[2]


class DecodeCache(Cache):
    """The cache of N samples that share P prompts."""

    def __init__(self, prompts: Cache, prompt_of_sample: Tensor, max_new_tokens: int) -> None:
        layers = []
        for layer in prompts.layers:
            length = layer.get_seq_length()
            keys, values = (
                _fan_out(stored, prompt_of_sample, length + max_new_tokens)
                for stored in (layer.keys, layer.values)
            )
            layers.append(_PreallocatedLayer(keys, values, length))
        super().__init__(layers=layers)

    def keep(self, rows: Tensor) -> None:
        """Drop every sample but these, given by their present row numbers."""
        for layer in self.layers:
            filled = layer.get_seq_length()
            for name in ("keys", "values"):
                old = getattr(layer, name)
                new = old.new_empty((len(rows), *old.shape[1:]))
                new[:, :, :filled] = old[rows, :, :filled]
                setattr(layer, name, new)


def _fan_out(stored: Tensor | None, prompt_of_sample: Tensor, capacity: int) -> Tensor:
    assert stored is not None
    _, heads, length, dim = stored.shape
    room = stored.new_empty((len(prompt_of_sample), heads, capacity, dim))
    room[:, :, :length] = stored[prompt_of_sample]
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
