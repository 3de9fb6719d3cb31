"""Attention of packed sequences: a token sees its prompt and its own completion, no other's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from verirank.training._sequences import Sequences

PACKED_ATTENTION = "verirank_packed"
_PAIRS = 2**18
"""Pairs of query and key whose scores, a number a head, exist at the same time."""


@dataclass(frozen=True, slots=True)
class _Block:
    """R rows of Q queries that each see some of K keys, named by their places among M tokens.

    `bias_RQK` is added to their scores: 0 where a key is seen, -inf elsewhere.
    """

    queries_RQ: Tensor
    keys_RK: Tensor
    bias_RQK: Tensor


@dataclass(frozen=True, slots=True)
class Packing:
    """Which token sees which: blocks of rows, and where each of the M tokens is among them all."""

    blocks: tuple[_Block, ...]
    place_M: Tensor

    @classmethod
    def of(cls, sequences: Sequences) -> Packing:
        """Return the blocks of the prompts, then those of the completions."""
        prompts_PL, inside_PL = sequences.places_PL(), sequences.prompt_mask_PL()
        own_NT = sequences.places_NT()
        nothing = prompts_PL[:, :0], inside_PL[:, :0]
        context = prompts_PL[sequences.prompt_N], inside_PL[sequences.prompt_N]
        blocks = [*_causal(prompts_PL, *nothing), *_causal(own_NT, *context)]
        return cls(tuple(blocks), _first_places(blocks, len(sequences.tokens_M)))


def _causal(own_RT: Tensor, context_RC: Tensor, inside_RC: Tensor) -> Iterator[_Block]:
    """Yield blocks of rows whose tokens see their context, and their own until themselves."""
    rows, length = own_RT.shape
    step = max(1, _PAIRS // (rows * (length + context_RC.shape[1])))
    for start in range(0, length, step):
        end = min(start + step, length)
        causal = torch.ones(end - start, end, dtype=torch.bool, device=own_RT.device).tril(start)
        seen = (inside_RC[:, None].expand(-1, end - start, -1), causal.expand(rows, -1, -1))
        hidden_RQK = ~torch.cat(seen, 2)
        nothing = torch.zeros(hidden_RQK.shape, device=own_RT.device)
        yield _Block(
            own_RT[:, start:end],
            torch.cat((context_RC, own_RT[:, :end]), 1),
            nothing.masked_fill_(hidden_RQK, float("-inf")),
        )


def _first_places(blocks: list[_Block], tokens: int) -> Tensor:
    """Return where each of the M tokens stands as a query for the first time.

    Beyond the end of a row its first token stands again, computed in vain.
    """
    queries = torch.cat([block.queries_RQ.flatten() for block in blocks])
    places = torch.arange(len(queries), device=queries.device)
    return torch.full((tokens,), len(queries), device=queries.device).scatter_reduce(
        0, queries, places, "amin"
    )


def _packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    packing: Packing | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend within a packing, 1 x heads x M x D each; without one, as transformers does."""
    if packing is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    scaling = scaling or query.shape[-1] ** -0.5
    given_MHD = [tensor[0].transpose(0, 1) for tensor in (query, key, value)]
    # The scores are computed again in the backward pass, so memory grows with M, not with pairs.
    rows = [
        checkpoint(_attend, *given_MHD, block, scaling, use_reentrant=False)
        for block in packing.blocks
    ]
    mixed_MHD = torch.cat(rows).index_select(0, packing.place_M)
    return mixed_MHD[None], None


def _attend(query: Tensor, key: Tensor, value: Tensor, block: _Block, scaling: float) -> Tensor:
    """Return what a block's queries mix of its values, in the order of its rows."""
    q, k, v = (
        tensor.index_select(0, places.flatten()).unflatten(0, places.shape).transpose(1, 2)
        for tensor, places in (
            (query, block.queries_RQ),
            (key, block.keys_RK),
            (value, block.keys_RK),
        )
    )
    bias = block.bias_RQK[:, None]
    if q.device.type == "cpu":
        mixed = _by_products(q, k, v, bias, scaling)
    else:
        mixed = nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=bias.to(q.dtype), scale=scaling, enable_gqa=True
        )
    return mixed.transpose(1, 2).flatten(0, 1)


def _by_products(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scaling: float) -> Tensor:
    """Attend by two products in fp32, which on a CPU is faster than fused attention.

    Args:
        q: R x heads x Q x D.
        k: R x key heads x K x D; query heads in a row share one.
        v: like k.
        bias: R x 1 x Q x K, of the scores.
        scaling: of the scores.

    Returns:
        R x heads x Q x D, in the dtype of q.
    """
    rows, heads, queries, width = q.shape
    with torch.autocast(q.device.type, enabled=False):
        grouped = q.float().reshape(rows, k.shape[1], -1, width)
        scores = torch.matmul(grouped * scaling, k.float().transpose(-1, -2))
        scores = scores.view(rows, k.shape[1], -1, queries, k.shape[2])
        weights = scores.add_(bias[:, :, None]).softmax(-1)
        mixed = torch.matmul(weights.flatten(2, 3), v.float())
    return mixed.view(rows, heads, queries, width).to(q.dtype)


AttentionInterface.register(PACKED_ATTENTION, _packed_attention)
AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)
