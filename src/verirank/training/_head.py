"""The language model's head and the log-probability of one token of each row, in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from verirank.planning import HEAD_ROWS


def chosen_logprobs(
    head: nn.Linear, hidden_MH: Tensor, tokens_M: Tensor, temperature: float
) -> Tensor:
    """Return the log-probability of one token after each hidden state, M, fp32, nats.

    Args:
        head: maps hidden states to logits.
        hidden_MH: hidden states.
        tokens_M: the tokens.
        temperature: that the logits are divided by.
    """
    weight, kind = head.weight, hidden_MH.device.type
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        hidden_MH, weight = hidden_MH.to(dtype), weight.to(dtype)
    chosen: Any = _ChosenLogprobs.apply(hidden_MH, weight, head.bias, tokens_M, temperature)
    return chosen


class _ChosenLogprobs(Function):
    """With z = (W h + b) / t and p = softmax(z): log p_k, whose gradient is (e_k - p) / t by z.

    A frozen head needs no second pass: how the log-probability moves with h, (e_k - p) W / t, is
    known as soon as p is. A trained one computes p again in the backward pass. Either takes e_k - p
    before it is rounded: of a token that is nearly sure, rounding first would leave nothing.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_MH: Tensor,
        weight_VH: Tensor,
        bias_V: Tensor | None,
        tokens_M: Tensor,
        temperature: float,
    ) -> Tensor:
        by_hidden, by_weight = ctx.needs_input_grad[:2]
        slopes = by_hidden and not by_weight
        chosen_M = hidden_MH.new_empty(len(tokens_M), dtype=torch.float32)
        slope_MH = torch.empty_like(hidden_MH) if slopes else None
        for rows in _chunks(len(tokens_M)):
            logprobs_RV = _logprobs(hidden_MH[rows], weight_VH, bias_V, temperature)
            chosen_M[rows] = logprobs_RV.gather(1, tokens_M[rows, None])[:, 0]
            if slope_MH is not None:
                missed_RV = _missed(logprobs_RV, tokens_M[rows]).to(weight_VH.dtype)
                slope_MH[rows] = (missed_RV @ weight_VH) / temperature
        if slope_MH is not None:
            ctx.save_for_backward(slope_MH)
        else:
            ctx.save_for_backward(hidden_MH, weight_VH, bias_V, tokens_M)
            ctx.temperature = temperature
        return chosen_M

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (grad_M,) = gradients
        if not ctx.needs_input_grad[1]:
            (slope_MH,) = ctx.saved_tensors
            return (slope_MH * grad_M[:, None]).to(slope_MH.dtype), None, None, None, None
        hidden_MH, weight_VH, bias_V, tokens_M = ctx.saved_tensors
        grad_hidden = torch.empty_like(hidden_MH)
        grad_weight = torch.zeros_like(weight_VH, dtype=torch.float32)
        grad_bias = None if bias_V is None else torch.zeros_like(bias_V)
        for rows in _chunks(len(tokens_M)):
            logprobs_RV = _logprobs(hidden_MH[rows], weight_VH, bias_V, ctx.temperature)
            grad_RV = _missed(logprobs_RV, tokens_M[rows])
            grad_RV *= grad_M[rows, None] / ctx.temperature
            if grad_bias is not None:
                grad_bias += grad_RV.sum(0)
            narrow_RV = grad_RV.to(weight_VH.dtype)
            grad_hidden[rows] = narrow_RV @ weight_VH
            grad_weight += narrow_RV.T @ hidden_MH[rows]
        return grad_hidden, grad_weight.to(weight_VH.dtype), grad_bias, None, None


def _logprobs(
    hidden_RH: Tensor, weight_VH: Tensor, bias_V: Tensor | None, temperature: float
) -> Tensor:
    logits_RV = nn.functional.linear(hidden_RH, weight_VH, bias_V).float()
    return (logits_RV if temperature == 1 else logits_RV.div_(temperature)).log_softmax(-1)


def _missed(logprobs_RV: Tensor, tokens_R: Tensor) -> Tensor:
    """Return e_k - p in the place of log p."""
    missed_RV = logprobs_RV.exp_().neg_()
    return missed_RV.scatter_add_(1, tokens_R[:, None], torch.ones_like(missed_RV[:, :1]))


def _chunks(rows: int) -> Iterator[slice]:
    yield from (slice(start, start + HEAD_ROWS) for start in range(0, rows, HEAD_ROWS))
