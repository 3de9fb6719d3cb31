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

    `bias_RQK` is added to their scores: 0 where a key is seen, -inf elsewhere. Without one the keys
    are the queries, and each sees those until itself.
    """

    queries_RQ: Tensor
    keys_RK: Tensor
    bias_RQK: Tensor | None


@dataclass(slots=True)
class Packing:
    """Which token sees which: blocks of rows, and where each of the M tokens is among them all.

    `heeded` tells how often attention was computed so.
    """

    blocks: tuple[_Block, ...]
    place_M: Tensor
    heeded: int = 0

    @classmethod
    def of(cls, sequences: Sequences, *, by_products: bool) -> Packing:
        """Return the blocks of a micro-batch.

        Args:
            sequences: its tokens.
            by_products: whether queries meet keys by products, for which prompts and completions
                are rows of their own; otherwise each completion is a row behind its prompt, in the
                form that fused causal attention takes.
        """
        if by_products:
            prompts_PL, inside_PL = sequences.places_PL(), sequences.prompt_mask_PL()
            nothing = prompts_PL[:, :0], inside_PL[:, :0]
            context = prompts_PL[sequences.prompt_N], inside_PL[sequences.prompt_N]
            blocks = [
                *_causal(prompts_PL, *nothing),
                *_causal(sequences.places_NT(), *context),
            ]
        else:
            rows_NL = sequences.rows_NL()
            blocks = [_Block(rows_NL, rows_NL, None)]
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
    packing.heeded += 1
    scaling = scaling or query.shape[-1] ** -0.5
    # The scores are computed again in the backward pass, so memory grows with M, not with pairs.
    rows = [
        checkpoint(
            *(_attend, query[0], key[0], value[0], block, scaling),
            use_reentrant=False,
            preserve_rng_state=False,
        )
        for block in packing.blocks
    ]
    return torch.cat(rows).index_select(0, packing.place_M)[None], None


def _attend(q: Tensor, k: Tensor, v: Tensor, block: _Block, scaling: float) -> Tensor:
    """Return what a block's queries mix of its values.

    Args:
        q: heads x M x D.
        k: key heads x M x D; query heads in a row share one.
        v: like k.
        block: which of the M are queries and keys.
        scaling: of the scores.

    Returns:
        R Q x heads D, in the dtype of q.
    """
    if block.bias_RQK is None:
        return _fused(q, k, v, block.queries_RQ, scaling)
    return _by_products(q, k, v, block, block.bias_RQK, scaling)


def _by_products(
    q: Tensor, k: Tensor, v: Tensor, block: _Block, bias_RQK: Tensor, scaling: float
) -> Tensor:
    """Attend by two products in fp32, which on a CPU is faster than fused attention."""
    (rows, queries), keys = block.queries_RQ.shape, block.keys_RK.flatten()
    grouped = q.unflatten(0, (len(k), -1)).transpose(1, 2)
    grouped = grouped.index_select(1, block.queries_RQ.flatten())
    with torch.autocast(q.device.type, enabled=False):
        # Key heads stand first, then rows: in this order nothing has to be copied for a product.
        by_row = (grouped.float() * scaling).view(len(k), rows, -1, q.shape[-1])
        k, v = (t.index_select(1, keys).unflatten(1, (rows, -1)).float() for t in (k, v))
        scores = torch.matmul(by_row, k.transpose(-1, -2))
        scores = scores.view(len(k), rows, queries, -1, k.shape[2])
        weights = scores.add_(bias_RQK[:, :, None]).softmax(-1)
        mixed = torch.matmul(weights.flatten(2, 3), v)
    mixed = mixed.view(len(k), rows * queries, -1, q.shape[-1]).to(q.dtype)
    return mixed.transpose(0, 1).flatten(1)


def _fused(q: Tensor, k: Tensor, v: Tensor, rows_RQ: Tensor, scaling: float) -> Tensor:
    """Attend by torch's own causal attention, whose memory grows with the length of the rows."""
    q, k, v = (
        tensor.index_select(1, rows_RQ.flatten()).unflatten(1, rows_RQ.shape).transpose(0, 1)
        for tensor in (q, k, v)
    )
    mixed = nn.functional.scaled_dot_product_attention(
        q, k, v, is_causal=True, scale=scaling, enable_gqa=True
    )
    return mixed.transpose(1, 2).flatten(0, 1).flatten(1)


AttentionInterface.register(PACKED_ATTENTION, _packed_attention)
AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)
