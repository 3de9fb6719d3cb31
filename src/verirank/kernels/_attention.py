"""Attention over packed sequences: a token sees its prompt and its own completion only."""

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

from verirank.kernels._sequences import Sequences

PACKED_ATTENTION = "verirank_packed"
_PAIRS = 2**18
"""Pairs of query and key whose scores exist at the same time, a score a head."""


@dataclass(frozen=True, slots=True)
class _Block:
    """R rows of Q queries and K keys, as indices into the M tokens.

    `bias_RQK` is added to the scores: 0 where a query sees a key, -inf elsewhere.
    """

    queries_RQ: Tensor
    keys_RK: Tensor
    bias_RQK: Tensor


@dataclass(slots=True)
class Packing:
    """Which of the M tokens each token attends to.

    Either `blocks`, for matrix products, or `rows_NL`, rows of causal attention. `query_M` is the
    index of each token's query in the concatenated blocks or rows. `calls` counts the layers that
    attended within this packing.
    """

    blocks: tuple[_Block, ...]
    rows_NL: Tensor | None
    query_M: Tensor
    calls: int = 0

    @classmethod
    def of(cls, sequences: Sequences, *, by_products: bool) -> Packing:
        """Return the packing of a micro-batch.

        Args:
            sequences: its tokens.
            by_products: whether attention is computed by matrix products, with prompts and
                completions in separate rows; otherwise each row is a prompt with one completion,
                the layout of fused causal attention.
        """
        if by_products:
            prompts_PL, inside_PL = sequences.prompt_indices_PL(), sequences.prompt_mask_PL()
            nothing = prompts_PL[:, :0], inside_PL[:, :0]
            context = prompts_PL[sequences.prompt_N], inside_PL[sequences.prompt_N]
            rows_NL = None
            blocks = (
                *_causal(prompts_PL, *nothing),
                *_causal(sequences.indices_NT(), *context),
            )
            queries = torch.cat([block.queries_RQ.flatten() for block in blocks])
        else:
            rows_NL, blocks = sequences.rows_NL(), ()
            queries = rows_NL.flatten()
        return cls(blocks, rows_NL, _first_index(queries, len(sequences.tokens_M)))


def _causal(own_RT: Tensor, context_RC: Tensor, inside_RC: Tensor) -> Iterator[_Block]:
    """Yield blocks of rows whose tokens see their context and their own row causally."""
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


def _first_index(queries: Tensor, tokens: int) -> Tensor:
    """Return the first index of each of the M tokens among the queries.

    Rows are padded with their first token, whose repeats are ignored.
    """
    indices = torch.arange(len(queries), device=queries.device)
    return torch.full((tokens,), len(queries), device=queries.device).scatter_reduce(
        0, queries, indices, "amin"
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
    packing.calls += 1
    scaling = scaling or query.shape[-1] ** -0.5
    if packing.rows_NL is None:
        products: Any = _AttentionByProducts.apply(query[0], key[0], value[0], packing, scaling)
        return products[None], None
    # Recompute in the backward pass what fused attention would keep for it.
    rows: Any = checkpoint(
        *(_fused, query[0], key[0], value[0], packing.rows_NL, scaling),
        use_reentrant=False,
        preserve_rng_state=False,
    )
    return rows.index_select(0, packing.query_M)[None], None


class _AttentionByProducts(Function):
    """Attention by matrix products, which on a CPU is faster than fused attention.

    With S = s Q K^T and P = softmax(S + bias): O = P V, dV = P^T dO, dP = dO V^T,
    dS = P (dP - sum(P dP)), dQ = s dS K, dK = s dS^T Q. As in fused attention, S and dP are fp32
    and the operands of products have the model's dtype. P is recomputed in the backward pass, so
    memory grows with M, not with the pairs.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, packing: Packing, scaling: float
    ) -> Tensor:
        """Return O, M x heads D, in the dtype of v.

        Args:
            ctx: saves q, k and v.
            q: heads x M x D.
            k: key heads x M x D; consecutive query heads share one.
            v: like k.
            packing: which tokens each token attends to.
            scaling: s.
        """
        ctx.save_for_backward(q, k, v)
        ctx.packing, ctx.scaling = packing, scaling
        with torch.autocast(q.device.type, enabled=False):
            mixed = [one.mixed() for one in _scored(q, k, v, packing, scaling)]
        return torch.cat(mixed).index_select(0, packing.query_M)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad_MO,) = gradients
        q, k, v = ctx.saved_tensors
        packing, scaling = ctx.packing, ctx.scaling
        grad_q = torch.zeros_like(_grouped(q, len(k)))
        # In fp32, because a prompt sums the gradients of all its completions.
        grad_k, grad_v = (torch.zeros_like(t, dtype=torch.float32) for t in (k, v))
        rows = sum(block.queries_RQ.numel() for block in packing.blocks)
        grad_rows = grad_MO.new_zeros((rows, grad_MO.shape[1]))
        grad_rows.index_copy_(0, packing.query_M, grad_MO)
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
    """A block with its queries, key heads x R x Q groups x D; keys and values are ... x K x D."""

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
        """Return O of the block, R Q x heads D, in the dtype of the values."""
        mixed = self.weights().to(self.values.dtype) @ self.values
        mixed = mixed.view(len(mixed), self.block.queries_RQ.numel(), -1, mixed.shape[-1])
        return mixed.transpose(0, 1).flatten(1)

    def gradients(self, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return dQ, dK and dV for dO, which has the shape of the queries."""
        weights = self.weights()
        by_value = weights.to(grad.dtype).transpose(-1, -2) @ grad
        d_scores = grad.float() @ self.values.float().transpose(-1, -2)
        d_scores *= weights
        d_scores.addcmul_(weights, d_scores.sum(-1, keepdim=True), value=-1)
        d_scores = d_scores.mul_(self.scaling).to(self.keys.dtype)
        return d_scores @ self.keys, d_scores.transpose(-1, -2) @ self.queries, by_value


def _scored(q: Tensor, k: Tensor, v: Tensor, packing: Packing, scaling: float) -> Iterator[_Scored]:
    """Yield every block, key heads before rows, so that no product copies its operands."""
    grouped = _grouped(q, len(k))
    for block in packing.blocks:
        rows, indices = len(block.queries_RQ), block.keys_RK.flatten()
        queries = grouped.index_select(1, block.queries_RQ.flatten())
        queries = queries.view(len(k), rows, -1, q.shape[-1])
        keys, values = (t.index_select(1, indices).unflatten(1, (rows, -1)) for t in (k, v))
        yield _Scored(block, queries, keys, values, scaling)


def _grouped(q: Tensor, key_heads: int) -> Tensor:
    """Return heads x M x D as key heads x M x query heads of each x D."""
    return q.unflatten(0, (key_heads, -1)).transpose(1, 2)


def _fused(q: Tensor, k: Tensor, v: Tensor, rows_RQ: Tensor, scaling: float) -> Tensor:
    """Attend by torch's fused causal attention, whose memory is linear in the rows' length."""
    q, k, v = (
        tensor.index_select(1, rows_RQ.flatten()).unflatten(1, rows_RQ.shape).transpose(0, 1)
        for tensor in (q, k, v)
    )
    mixed = nn.functional.scaled_dot_product_attention(
        q, k, v, is_causal=True, scale=scaling, enable_gqa=True
    )
    return mixed.transpose(1, 2).flatten(0, 1).flatten(1)


def plain_attention(q: Tensor, k: Tensor, v: Tensor, sees_MM: Tensor, scaling: float) -> Tensor:
    """Return softmax(s Q K^T) V over the keys that each token sees: what packing must equal.

    Args:
        q: heads x M x D.
        k: key heads x M x D; consecutive query heads share one.
        v: like k.
        sees_MM: whether a token (row) sees another (column).
        scaling: s.

    Returns:
        M x heads D.
    """
    k, v = (tensor.repeat_interleave(len(q) // len(k), 0) for tensor in (k, v))
    scores = (scaling * q @ k.transpose(1, 2)).masked_fill(~sees_MM, float("-inf"))
    return (scores.softmax(-1) @ v).transpose(0, 1).flatten(1)


AttentionInterface.register(PACKED_ATTENTION, _packed_attention)
AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)
