"""Key-value storage for decoding: a prompt's prefix fanned out to its samples, no slices copied."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_ROOM = 32
"""Tokens for which storage is added at a time."""


class _RoomyLayer(CacheLayerMixin):
    """Keys and values of one layer, N x heads x room x head_dim, filled up to `length`.

    All of the room is handed out, because a product with a part of it would copy that part first;
    what is not filled holds zeros, and is masked.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.length = keys.shape[2]
        self.key_room, self.value_room = _with_room(keys), _with_room(values)
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Do nothing: the storage is there from the start."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if self.length == self.key_room.shape[2]:
            self.key_room, self.value_room = _with_room(self.key_room), _with_room(self.value_room)
        self.key_room[:, :, self.length] = key_states[:, :, 0]
        self.value_room[:, :, self.length] = value_states[:, :, 0]
        self.length += 1
        return self.key_room, self.value_room

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.key_room.shape[2], 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return -1


class DecodeCache(Cache):
    """The cache of N samples that share P prompts, and which of its places each sample sees."""

    def __init__(
        self, prompts: Cache, prompt_of_sample_N: Tensor, prompt_mask_PL: Tensor, most: int
    ) -> None:
        """Begin with prompts, read with padding; each sample may grow by `most` tokens."""
        self._layers: list[_RoomyLayer] = []
        for layer in prompts.layers:
            assert isinstance(layer, DynamicLayer)
            assert layer.keys is not None and layer.values is not None
            taken = layer.keys[prompt_of_sample_N], layer.values[prompt_of_sample_N]
            self._layers.append(_RoomyLayer(*taken))
        super().__init__(layers=list(self._layers))
        inside_NL = prompt_mask_PL[prompt_of_sample_N].bool()
        self.positions_N = inside_NL.sum(1)
        hidden_NC = (~inside_NL).new_ones((len(inside_NL), inside_NL.shape[1] + most + _ROOM))
        hidden_NC[:, : inside_NL.shape[1]] = ~inside_NL
        dtype = self._layers[0].key_room.dtype
        nothing = torch.zeros(hidden_NC.shape, dtype=dtype, device=hidden_NC.device)
        self._bias_NC = nothing.masked_fill_(hidden_NC, float("-inf"))

    def next_token(self) -> tuple[Tensor, Tensor]:
        """Make place for one more token of each sample.

        Returns:
            What is added to its scores, N x 1 x 1 x room, and its position, N.
        """
        layer = self._layers[0]
        self._bias_NC[:, layer.length] = 0.0
        room = layer.key_room.shape[2]
        room += _ROOM if layer.length == room else 0
        positions_N = self.positions_N
        self.positions_N = positions_N + 1
        return self._bias_NC[:, None, None, :room], positions_N

    def keep(self, rows: Tensor) -> None:
        """Drop every sample but these, given by their present row numbers."""
        self._bias_NC, self.positions_N = self._bias_NC[rows], self.positions_N[rows]
        for layer in self._layers:
            layer.key_room, layer.value_room = layer.key_room[rows], layer.value_room[rows]


def _with_room(stored: Tensor) -> Tensor:
    """Return N x heads x length x head_dim with room for more tokens behind."""
    return torch.nn.functional.pad(stored, (0, 0, 0, _ROOM))


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
    grouped = query.view(n, key.shape[1], -1, dim) * (scaling or dim**-0.5)
    scores = torch.matmul(grouped, key.transpose(-1, -2)).add_(attention_mask)
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    mixed = torch.matmul(weights, value)
    return mixed.reshape(n, 1, heads, dim), None


DECODE_ATTENTION = "verirank_decode"
AttentionInterface.register(DECODE_ATTENTION, _decode_attention)
