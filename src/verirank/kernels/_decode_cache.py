"""The key-value cache of decoding, and attention with one query a sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_BLOCK = 32
"""Tokens in whose multiples the cache is read: the sums of a softmax are then formed alike,
whatever the longest sample beside it."""
_SUMMED = 128
"""Keys over which a CPU sums values at once. Of four query heads a key head or more, MKL sums 224
keys and more in an order that depends on how many others follow, though these weigh nothing."""
_GROWTH = 1.25


class _Now:
    """Which rows are decoded in a step, how far they are read, and where they write.

    The cache and its layers share it. If layers knew their cache, its memory would be free only
    after Python's next search for cycles.
    """

    def __init__(self, device: torch.device) -> None:
        self.rows, self.seen, self.capacity = 0, 0, 0
        self.positions_N = torch.zeros(0, dtype=torch.long, device=device)
        self._write_indices: dict[int, Tensor] = {}

    def begin(self, positions_N: Tensor, seen: int, capacity: int) -> None:
        """Begin a step in which the rows write at these positions."""
        self.rows, self.seen, self.capacity = len(positions_N), seen, capacity
        self.positions_N, self._write_indices = positions_N, {}

    def write_indices(self, heads: int) -> Tensor:
        """Return where the next token of each row goes in a layer of so many heads, rows x heads.

        Counted over slots, heads and capacity together.
        """
        if heads not in self._write_indices:
            device = self.positions_N.device
            of_heads = torch.arange(self.rows * heads, device=device) * self.capacity
            self._write_indices[heads] = of_heads + self.positions_N.repeat_interleave(heads)
        return self._write_indices[heads]


class _SlotLayer(CacheLayerMixin):
    """Keys and values of one layer, slots x heads x capacity x head_dim, from index 0 of a slot."""

    def __init__(self, now: _Now, keys: Tensor, values: Tensor, slots: int, capacity: int) -> None:
        super().__init__()
        self.now = now
        shape = (slots, keys.shape[1], capacity)
        self.key_store = keys.new_zeros((*shape, keys.shape[3]))
        self.value_store = values.new_zeros((*shape, values.shape[3]))
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Do nothing: the storage exists from the start."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write one token of every row that is decoded; return what the rows have so far."""
        rows, seen = self.now.rows, self.now.seen
        indices = self.now.write_indices(self.key_store.shape[1])
        for store, states in ((self.key_store, key_states), (self.value_store, value_states)):
            store.view(-1, store.shape[3]).index_copy_(
                0, indices, states[:rows].reshape(-1, store.shape[3])
            )
        return self.key_store[:rows, :, :seen], self.value_store[:rows, :, :seen]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.now.seen, 0

    def get_seq_length(self) -> int:
        return self.now.seen

    def get_max_length(self) -> int:
        return -1


class DecodeCache(Cache):
    """The cache of samples in slots that are given to others as they end.

    A sample's keys begin at index 0 of its slot, however long the others are, so that what it
    attends to is summed in the same order whatever stands beside it.
    """

    def __init__(self, slots: int, longest: int, device: torch.device) -> None:
        """Hold so many samples, of at most so many tokens with their prompts."""
        self._most, self._longest = slots, longest
        self._now = _Now(device)
        self._slots, self._capacity = 0, 0
        self._layers: list[_SlotLayer] = []
        self._lengths_S = torch.zeros(0, dtype=torch.long, device=device)
        self._bias_SC = torch.zeros((0, 0), device=device)
        super().__init__(layers=[])

    def join(
        self, prompts: Cache, lengths_P: list[int], slots_N: Tensor, prompt_of_slot_N: Tensor
    ) -> None:
        """Put prompts, which are padded on the right, into slots: N copies of P prompts."""
        self._hold(prompts, int(slots_N.max()) + 1, max(lengths_P) + 1)
        lengths_N = torch.tensor(lengths_P, device=slots_N.device)[prompt_of_slot_N]
        self._begin(slots_N, lengths_N)
        for mine, theirs in zip(self._layers, prompts.layers, strict=True):
            assert isinstance(theirs, DynamicLayer)
            assert theirs.keys is not None and theirs.values is not None
            for store, read in (
                (mine.key_store, theirs.keys),
                (mine.value_store, theirs.values),
            ):
                width = min(read.shape[2], self._capacity)
                store[slots_N, :, :width] = read[prompt_of_slot_N, :, :width]

    def give(self, rows: int) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the lengths of the first samples, N, and copies of their keys and values."""
        lengths_N = self._lengths_S[:rows].clone()
        tokens = int(lengths_N.max())
        return lengths_N, [
            (
                layer.key_store[:rows, :, :tokens].clone(),
                layer.value_store[:rows, :, :tokens].clone(),
            )
            for layer in self._layers
        ]

    def take_over(
        self, slots_N: Tensor, lengths_N: Tensor, layers: list[tuple[Tensor, Tensor]]
    ) -> None:
        """Put samples of another cache into slots."""
        self._grow(int(slots_N.max()) + 1, int(lengths_N.max()) + 1)
        self._begin(slots_N, lengths_N)
        for mine, (keys, values) in zip(self._layers, layers, strict=True):
            mine.key_store[slots_N, :, : keys.shape[2]] = keys
            mine.value_store[slots_N, :, : values.shape[2]] = values

    def _begin(self, slots_N: Tensor, lengths_N: Tensor) -> None:
        """Empty slots for samples of so many tokens."""
        self._lengths_S[slots_N] = lengths_N
        hidden_NC = torch.arange(self._capacity, device=slots_N.device) >= lengths_N[:, None]
        self._bias_SC[slots_N] = self._bias_SC.new_zeros(hidden_NC.shape).masked_fill_(
            hidden_NC, float("-inf")
        )
        for layer in self._layers:
            # What a diverged sample left behind is no number.
            layer.key_store[slots_N] = 0
            layer.value_store[slots_N] = 0

    def next_token(self, writing_N: Tensor) -> tuple[Tensor, Tensor]:
        """Make room for one more token of each of the first N slots.

        Args:
            writing_N: whether a sample goes on; the slot of another is written over at its end.

        Returns:
            The bias of the scores, N x 1 x 1 x tokens, and the token's position, N.
        """
        rows = len(writing_N)
        positions_N = self._lengths_S[:rows].clone()
        most = int(positions_N.max()) + 1
        self._grow(self._slots, most)
        self._now.begin(positions_N, min(in_blocks(most), self._capacity), self._capacity)
        self._bias_SC[torch.arange(rows, device=positions_N.device), positions_N] = 0.0
        self._lengths_S[:rows] = positions_N + writing_N
        return self._bias_SC[:rows, None, None, : self._now.seen], positions_N

    def move(self, sources: Tensor, targets: Tensor) -> None:
        """Let samples have other slots."""
        for tensor in (self._lengths_S, self._bias_SC):
            tensor[targets] = tensor[sources]
        for layer in self._layers:
            layer.key_store[targets] = layer.key_store[sources]
            layer.value_store[targets] = layer.value_store[sources]

    def _hold(self, prompts: Cache, slots: int, tokens: int) -> None:
        """Have storage for so many slots and tokens."""
        if not self._layers:
            for layer in prompts.layers:
                assert isinstance(layer, DynamicLayer)
                assert layer.keys is not None and layer.values is not None
                self._layers.append(_SlotLayer(self._now, layer.keys, layer.values, 0, 0))
            self.layers = list(self._layers)
            self._bias_SC = self._layers[0].key_store.new_zeros((0, 0))
        self._grow(slots, tokens)

    def _grow(self, slots: int, tokens: int) -> None:
        """Have at least so many slots and tokens, and some more when storage is made anew."""
        more, longer = 0, 0
        if slots > self._slots:
            more = max(slots, min(int(self._slots * _GROWTH), self._most)) - self._slots
        if tokens > self._capacity:
            wanted = max(tokens, min(int(self._capacity * _GROWTH), self._longest))
            longer = in_blocks(wanted) - self._capacity
        if not more and not longer:
            return
        self._slots, self._capacity = self._slots + more, self._capacity + longer
        pad = torch.nn.functional.pad
        self._lengths_S = pad(self._lengths_S, (0, more))
        self._bias_SC = pad(self._bias_SC, (0, longer, 0, more), value=float("-inf"))
        for layer in self._layers:
            layer.key_store = pad(layer.key_store, (0, 0, 0, longer, 0, 0, 0, more))
            layer.value_store = pad(layer.value_store, (0, 0, 0, longer, 0, 0, 0, more))


def in_blocks(tokens: int) -> int:
    """Return how many tokens are held where so many are needed."""
    return -(-tokens // _BLOCK) * _BLOCK


def _decode_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend with one query a sample, without repeating keys and values for each query head.

    Queries beyond the samples that have keys fill up the batch (`Decoder`): they attend to nothing.
    """
    filled, heads, queries, dim = query.shape
    if queries > 1 or attention_mask is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    n = len(key)
    grouped = query[:n].reshape(n, key.shape[1], -1, dim) * (scaling or dim**-0.5)
    scores = torch.matmul(grouped, key.transpose(-1, -2)).add_(attention_mask)
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    mixed = _mixed(weights, value).reshape(n, 1, heads, dim)
    return torch.nn.functional.pad(mixed, (0, 0, 0, 0, 0, 0, 0, filled - n)), None


def _mixed(weights: Tensor, value: Tensor) -> Tensor:
    """Return the product; a CPU sums over the same stretches of keys however many there are."""
    seen = value.shape[2]
    if value.device.type != "cpu" or seen <= _SUMMED:
        return torch.matmul(weights, value)
    mixed = torch.matmul(weights[..., :_SUMMED], value[:, :, :_SUMMED])
    for first in range(_SUMMED, seen, _SUMMED):
        keys = slice(first, min(first + _SUMMED, seen))
        mixed = mixed + torch.matmul(weights[..., keys], value[:, :, keys])
    return mixed


def plain_decode_attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scaling: float
) -> Tensor:
    """Return softmax(s Q K^T + bias) V, N x 1 x heads x D: what decoding must equal.

    Args:
        query: N x heads x 1 x D.
        key: N x key heads x T x D.
        value: like key.
        bias: N x 1 x 1 x T, -inf where a key is masked.
        scaling: s.
    """
    repeats = query.shape[1] // key.shape[1]
    key, value = (t.repeat_interleave(repeats, 1) for t in (key, value))
    scores = scaling * query @ key.transpose(-1, -2) + bias
    return (scores.softmax(-1, dtype=torch.float32).to(value.dtype) @ value).transpose(1, 2)


DECODE_ATTENTION = "verirank_decode"
AttentionInterface.register(DECODE_ATTENTION, _decode_attention)
AttentionMaskInterface.register(DECODE_ATTENTION, sdpa_mask)
