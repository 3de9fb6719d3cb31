"""Attention of packed sequences: a token sees its prompt and its own completion, no other's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
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


@dataclass(slots=True)
class Packing:
    """Which of M tokens sees which.

    Either `blocks`, for products, or `rows_NL`, whose tokens see those until themselves; `place_M`
    is where each token is among the queries of all. `heeded` tells how often attention was computed
    so.
    """

    blocks: tuple[_Block, ...]
    rows_NL: Tensor | None
    place_M: Tensor
    heeded: int = 0

    @classmethod
    def of(cls, sequences: Sequences, *, by_products: bool) -> Packing:
        """Return the packing of a micro-batch.

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
            rows_NL = None
            blocks = (
                *_causal(prompts_PL, *nothing),
                *_causal(sequences.places_NT(), *context),
            )
            queries = torch.cat([block.queries_RQ.flatten() for block in blocks])
        else:
            rows_NL, blocks = sequences.rows_NL(), ()
            queries = rows_NL.flatten()
        return cls(blocks, rows_NL, _first_places(queries, len(sequences.tokens_M)))


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


def _first_places(queries: Tensor, tokens: int) -> Tensor:
    """Return where each of the M tokens stands among the queries for the first time.

    Beyond the end of a row its first token stands again, computed in vain.
    """
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
    if packing.rows_NL is None:
        products: Any = _AttentionByProducts.apply(query[0], key[0], value[0], packing, scaling)
        return products[None], None
    # What fused attention keeps for the backward pass is computed again there.
    rows: Any = checkpoint(
        *(_fused, query[0], key[0], value[0], packing.rows_NL, scaling),
        use_reentrant=False,
        preserve_rng_state=False,
    )
    return rows.index_select(0, packing.place_M)[None], None


class _AttentionByProducts(Function):
    """Attention by products of matrices, which on a CPU is faster than fused attention.

    With S = s Q K^T and P = softmax(S + bias): O = P V, dV = P^T dO, dP = dO V^T,
    dS = P (dP - sum(P dP)), dQ = s dS K, dK = s dS^T Q. As in fused attention S and dP are fp32,
    and what enters a product has the model's dtype. P is computed again in the backward pass, so
    memory grows with M, not with pairs.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, packing: Packing, scaling: float
    ) -> Tensor:
        """Return what the queries mix of the values, M x heads D, in the dtype of v.

        Args:
            ctx: keeps q, k and v.
            q: heads x M x D.
            k: key heads x M x D; query heads in a row share one.
            v: like k.
            packing: which of the M tokens see which.
            scaling: of the scores.
        """
        ctx.save_for_backward(q, k, v)
        ctx.packing, ctx.scaling = packing, scaling
        with torch.autocast(q.device.type, enabled=False):
            mixed = [one.mixed() for one in _scored(q, k, v, packing, scaling)]
        return torch.cat(mixed).index_select(0, packing.place_M)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad_MO,) = gradients
        q, k, v = ctx.saved_tensors
        packing, scaling = ctx.packing, ctx.scaling
        grad_q = torch.zeros_like(_grouped(q, len(k)))
        # A prompt's keys and values have the gradients of all its completions.
        grad_k, grad_v = (torch.zeros_like(t, dtype=torch.float32) for t in (k, v))
        rows = sum(block.queries_RQ.numel() for block in packing.blocks)
        grad_rows = grad_MO.new_zeros((rows, grad_MO.shape[1]))
        grad_rows.index_copy_(0, packing.place_M, grad_MO)
        with torch.autocast(q.device.type, enabled=False):
            for one in _scored(q, k, v, packing, scaling):
                queries, keys = one.block.queries_RQ.flatten(), one.block.keys_RK.flatten()
                grad, grad_rows = grad_rows[: len(queries)], grad_rows[len(queries) :]
                grad = _grouped(grad.unflatten(1, (len(q), -1)).transpose(0, 1), len(k))
                by_query, by_key, by_value = one.gradients(grad.reshape(one.queries.shape))
                grad_q.index_add_(1, queries, by_query.view(grad.shape))
                grad_k.index_add_(1, keys, by_key.flatten(1, 2).float())
                grad_v.index_add_(1, keys, by_value.flatten(1, 2).float())
        grad_q = grad_q.transpose(1, 2).reshape(q.shape)
        return grad_q, grad_k.to(k.dtype), grad_v.to(v.dtype), None, None


@dataclass(frozen=True, slots=True)
class _Scored:
    """A block with what it takes of q, k and v: key heads x R x Q groups x D and x K x D."""

    block: _Block
    queries: Tensor
    keys: Tensor
    values: Tensor
    scaling: float

    def weights(self) -> Tensor:
        """Return the softmax of the scores, key heads x R x Q groups x K, fp32."""
        scores = (self.queries.float() * self.scaling) @ self.keys.float().transpose(-1, -2)
        bias = self.block.bias_RQK[:, :, None]
        scores.view(*scores.shape[:2], bias.shape[1], -1, bias.shape[-1]).add_(bias)
        return scores.softmax(-1)

    def mixed(self) -> Tensor:
        """Return what the queries mix of the values, R Q x heads D, in the dtype of the values."""
        mixed = self.weights().to(self.values.dtype) @ self.values
        mixed = mixed.view(len(mixed), self.block.queries_RQ.numel(), -1, mixed.shape[-1])
        return mixed.transpose(0, 1).flatten(1)

    def gradients(self, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return those of queries, keys and values for that of what is mixed, like queries."""
        weights = self.weights()
        by_value = weights.to(grad.dtype).transpose(-1, -2) @ grad
        slopes = grad.float() @ self.values.float().transpose(-1, -2)
        slopes *= weights
        slopes.addcmul_(weights, slopes.sum(-1, keepdim=True), value=-1)
        slopes = slopes.mul_(self.scaling).to(self.keys.dtype)
        return slopes @ self.keys, slopes.transpose(-1, -2) @ self.queries, by_value


def _scored(q: Tensor, k: Tensor, v: Tensor, packing: Packing, scaling: float) -> Iterator[_Scored]:
    """Yield every block; key heads stand first, then rows: so no product copies its operands."""
    grouped = _grouped(q, len(k))
    for block in packing.blocks:
        rows, places = len(block.queries_RQ), block.keys_RK.flatten()
        queries = grouped.index_select(1, block.queries_RQ.flatten())
        queries = queries.view(len(k), rows, -1, q.shape[-1])
        keys, values = (t.index_select(1, places).unflatten(1, (rows, -1)) for t in (k, v))
        yield _Scored(block, queries, keys, values, scaling)


def _grouped(q: Tensor, key_heads: int) -> Tensor:
    """Return heads x M x D as key heads x M x query heads of each x D."""
    return q.unflatten(0, (key_heads, -1)).transpose(1, 2)


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
