"""The language model's head fused with the log-probability of the sampled token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

HEAD_ROWS = 256
"""Tokens whose logits exist at the same time in training; `planning` counts their memory."""


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
    bias = None if head.bias is None else head.bias.to(weight.dtype)
    chosen: Any = _ChosenLogprobs.apply(hidden_MH, weight, bias, tokens_M, temperature)
    return chosen


def plain_chosen_logprobs(
    head: nn.Linear, hidden_MH: Tensor, tokens_M: Tensor, temperature: float
) -> Tensor:
    """Return log softmax(head(h) / t) at each token: what `chosen_logprobs` must equal."""
    logprobs_MV = (head(hidden_MH) / temperature).log_softmax(-1)
    return logprobs_MV.gather(1, tokens_M[:, None])[:, 0]


class _ChosenLogprobs(Function):
    """With z = (W h + b) / t and p = softmax(z): log p_k, whose gradient is (e_k - p) / t by z.

    A frozen head needs no second pass: the gradient by h, (e_k - p) W / t, is known as soon as p
    is. A trained head recomputes p in the backward pass. Both subtract e_k from p before rounding:
    for a token of probability near 1, rounding first would leave nothing.
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
        for rows, softmax in _softmaxes(hidden_MH, weight_VH, bias_V, tokens_M, temperature):
            chosen_M[rows] = softmax.chosen_R
            if slope_MH is not None:
                slopes_RV = softmax.slopes(torch.full_like(softmax.sum_R1, 1 / temperature))
                slope_MH[rows] = slopes_RV.to(weight_VH.dtype) @ weight_VH
        if slope_MH is not None:
            ctx.save_for_backward(slope_MH)
        else:
            ctx.save_for_backward(hidden_MH, weight_VH, bias_V, tokens_M)
            ctx.temperature = temperature
        return chosen_M

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad_M,) = gradients
        if not ctx.needs_input_grad[1]:
            (slope_MH,) = ctx.saved_tensors
            return (slope_MH * grad_M[:, None]).to(slope_MH.dtype), None, None, None, None
        hidden_MH, weight_VH, bias_V, tokens_M = ctx.saved_tensors
        grad_hidden = torch.empty_like(hidden_MH)
        grad_weight = torch.zeros_like(weight_VH, dtype=torch.float32)
        grad_bias = None if bias_V is None else torch.zeros_like(bias_V)
        for rows, softmax in _softmaxes(hidden_MH, weight_VH, bias_V, tokens_M, ctx.temperature):
            grad_RV = softmax.slopes(grad_M[rows, None] / ctx.temperature)
            if grad_bias is not None:
                grad_bias += grad_RV.sum(0)
            narrow_RV = grad_RV.to(weight_VH.dtype)
            grad_hidden[rows] = narrow_RV @ weight_VH
            grad_weight += narrow_RV.T @ hidden_MH[rows]
        return grad_hidden, grad_weight.to(weight_VH.dtype), grad_bias, None, None


@dataclass(frozen=True, slots=True)
class _Softmax:
    """The softmax of R rows: with m = max z and s = sum exp(z - m), log p_k and its gradient by z.

    `exp_RV` holds exp(z - m) in fp32, in storage that the next rows reuse.
    """

    exp_RV: Tensor
    sum_R1: Tensor
    tokens_R1: Tensor
    chosen_R: Tensor

    def slopes(self, scale_R1: Tensor) -> Tensor:
        """Return scale (e_k - p). Overwrites exp(z - m), so call it once."""
        chosen_R1 = self.exp_RV.gather(1, self.tokens_R1)
        self.exp_RV.scatter_(1, self.tokens_R1, chosen_R1 - self.sum_R1)
        return self.exp_RV.mul_(-scale_R1 / self.sum_R1)


def _softmaxes(
    hidden_MH: Tensor,
    weight_VH: Tensor,
    bias_V: Tensor | None,
    tokens_M: Tensor,
    temperature: float,
) -> Iterator[tuple[slice, _Softmax]]:
    """Yield the softmax of `HEAD_ROWS` rows at a time.

    All chunks use the same storage: the system would zero fresh memory for each.
    """
    rows_at_once = min(HEAD_ROWS, len(tokens_M))
    logits = hidden_MH.new_empty((rows_at_once, len(weight_VH)))
    wide = (
        logits if logits.dtype == torch.float32 else torch.empty_like(logits, dtype=torch.float32)
    )
    for start in range(0, len(tokens_M), HEAD_ROWS):
        rows = slice(start, start + HEAD_ROWS)
        tokens_R1 = tokens_M[rows, None]
        n = len(tokens_R1)
        if bias_V is None:
            torch.mm(hidden_MH[rows], weight_VH.T, out=logits[:n])
        else:
            torch.addmm(bias_V, hidden_MH[rows], weight_VH.T, out=logits[:n])
        z_RV = wide[:n].copy_(logits[:n])
        if temperature != 1:
            z_RV.div_(temperature)
        z_RV -= z_RV.amax(1, keepdim=True)
        relative_R1 = z_RV.gather(1, tokens_R1)
        sum_R1 = z_RV.exp_().sum(1, keepdim=True)
        yield rows, _Softmax(z_RV, sum_R1, tokens_R1, (relative_R1 - sum_R1.log())[:, 0])
