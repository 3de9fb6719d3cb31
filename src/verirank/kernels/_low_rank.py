"""A frozen linear layer plus a low-rank product, and outputs scaled one by one (DoRA)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_PRODUCTS = 2**25
"""Elementwise products that exist at the same time in the dtype of a factor."""


def low_rank_linear(x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor) -> Tensor:
    """Return x (W + B A)^T + bias for a frozen W, in W's dtype.

    Args:
        x: ... x in.
        weight: W, out x in, frozen.
        bias: out, frozen, or None.
        a: A, r x in.
        b: B, out x r.

    Returns:
        ... x out. In fp32, W + B A is formed where that is cheaper than two thin products a
        token; never in bf16, which would round a small update away.
    """
    (outputs, inputs), rank = weight.shape, a.shape[0]
    if weight.dtype == torch.float32 and 3 * rank * (inputs + outputs) > inputs * outputs:
        return nn.functional.linear(x, weight + b @ a, bias)
    a, b = a.to(weight.dtype), b.to(weight.dtype)
    rows = x.to(weight.dtype).flatten(0, -2)
    product: Any = _LowRankLinear.apply(rows, weight, bias, a, b)
    return product.unflatten(0, x.shape[:-1])


def plain_low_rank_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor
) -> Tensor:
    """Return x (W + B A)^T + bias: what `low_rank_linear` must equal."""
    return nn.functional.linear(x, weight + b @ a, bias)


class _LowRankLinear(Function):
    """Accumulates both products inside the matrix multiplication, forward and backward.

    The only tensors of N x out and N x in are the output and the gradient by x.
    """

    @staticmethod
    def forward(
        ctx: Any, x_NI: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor
    ) -> Tensor:
        narrow_NR = x_NI @ a.T
        ctx.save_for_backward(x_NI, narrow_NR, weight, a, b)
        return nn.functional.linear(x_NI, weight, bias).addmm_(narrow_NR, b.T)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad_NO,) = gradients
        x_NI, narrow_NR, weight, a, b = ctx.saved_tensors
        grad_narrow_NR = grad_NO @ b
        grad_x = grad_a = grad_b = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad_NO @ weight).addmm_(grad_narrow_NR, a)
        if ctx.needs_input_grad[3]:
            grad_a = grad_narrow_NR.T @ x_NI
        if ctx.needs_input_grad[4]:
            grad_b = grad_NO.T @ narrow_NR
        return grad_x, None, None, grad_a, grad_b


def scaled_outputs(y: Tensor, factor: Tensor, bias: Tensor | None) -> Tensor:
    """Return y scaled per output plus the bias, in y's dtype, rounded once.

    Args:
        y: ... x out.
        factor: out, in the dtype of the computation.
        bias: out, frozen, or None.
    """
    scaled: Any = _ScaledOutputs.apply(y, factor, bias)
    return scaled


def plain_scaled_outputs(y: Tensor, factor: Tensor, bias: Tensor | None) -> Tensor:
    """Return y f + bias: what `scaled_outputs` must equal."""
    return y * factor + (0 if bias is None else bias)


class _ScaledOutputs(Function):
    """With z = y f + b: dy = f dz and df = sum(dz y). Without a bias, y f is rounded as written."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, factor: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(y, factor)
        if bias is None:
            return torch.mul(y, factor, out=torch.empty_like(y))
        return torch.mul(y, factor).add_(bias).to(y.dtype)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad,) = gradients
        y, factor = ctx.saved_tensors
        by_y = by_factor = None
        if ctx.needs_input_grad[0]:
            by_y = torch.mul(grad, factor, out=torch.empty_like(grad))
        if ctx.needs_input_grad[1]:
            rows = max(1, _PRODUCTS // y.shape[-1])
            parts = zip(grad.flatten(0, -2).split(rows), y.flatten(0, -2).split(rows), strict=True)
            by_factor = torch.zeros_like(factor)
            for grad_NO, y_NO in parts:
                by_factor += (grad_NO.to(factor.dtype) * y_NO).sum(0)
        return by_y, by_factor, None


def low_rank_row_norms(
    squares: Tensor, weight: Tensor, a: Tensor, b: Tensor, scaling: float
) -> Tensor:
    """Return the row norms of W + s B A without forming B A, out.

    ||W + s B A||^2 = ||W||^2 + 2 s <W A^T, B> + s^2 <B A A^T, B>, row by row: the norm that DoRA
    divides by (arXiv:2402.09353, equation 5).

    Args:
        squares: the squared row norms of W, out.
        weight: W, out x in.
        a: A, r x in.
        b: B, out x r.
        scaling: s.
    """
    crossed = weight.to(a.dtype) @ a.T + 0.5 * scaling * (b @ (a @ a.T))
    return (squares + 2 * scaling * (crossed * b).sum(1)).sqrt()


def plain_row_norms(weight: Tensor, a: Tensor, b: Tensor, scaling: float) -> Tensor:
    """Return the row norms of W + s B A: what `low_rank_row_norms` must equal."""
    return torch.linalg.norm(weight + scaling * (b @ a), dim=1)
