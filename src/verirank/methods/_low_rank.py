"""What methods that add a product of low rank have in common, and its fast forward and backward."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from verirank.config import InputError
from verirank.methods._peft_method import PeftMethod, adapted_layers
from verirank.methods._policy import Policy
from verirank.models import ModelShape

if TYPE_CHECKING:
    from peft import PeftConfig


_WIDE = 2**25
"""Products of outputs and gradients that exist at the same time in the dtype of a factor."""


class LowRankMethod(PeftMethod):
    """A method whose layer computes W x + B A x; peft builds it, and only its forward is ours."""

    bounded: ClassVar[bool] = True
    """Whether a rank above that of every adapted matrix is a mistake, as of trained factors."""

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out) over the adapted linears, trained or frozen."""
        return sum(self.config.rank * (i + o) for i, o in shape.adapted(self.config.modules))

    @abstractmethod
    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return A (r x in) and B (out x r), with every scale in them, of one of peft's layers."""

    def output(self, layer: Any, x: Tensor) -> Tensor:
        """Return what an adapted layer makes of x (... x in): ... x out."""
        base = layer.base_layer
        return low_rank_linear(x, base.weight, base.bias, *self.factors_of(layer))

    def wrap(self, model: nn.Module, config: PeftConfig, seed: int) -> nn.Module:
        """Let peft wrap the model, and compute its layers' outputs by `output`.

        Raises:
            InputError: the rank is above that of every adapted matrix.
        """
        adapted: list[Any] = [model.get_submodule(name) for name in self.targets(model)]
        highest = max(min(module.weight.shape) for module in adapted)
        if self.bounded and self.config.rank > highest:
            raise InputError(
                f"method {self.name!r}: method.rank = {self.config.rank} is above {highest}, the "
                "highest rank of any matrix that it adapts"
            )
        wrapped = super().wrap(model, config, seed)
        for layer in adapted_layers(wrapped).values():
            layer.forward = partial(_forward, self, layer)
        return wrapped

    @torch.no_grad()
    def low_rank_update(self, policy: Policy) -> dict[str, tuple[Tensor, Tensor]]:
        """Return the factors of every adapted module."""
        return {name: self.factors_of(lay) for name, lay in adapted_layers(policy.model).items()}


def _forward(method: LowRankMethod, layer: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if layer.disable_adapters or layer.merged:
        output: Tensor = type(layer).forward(layer, x, *args, **kwargs)
        return output
    return method.output(layer, x)


def low_rank_linear(x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor) -> Tensor:
    """Return x (W + B A)^T + bias for a frozen W, in W's dtype.

    Args:
        x: ... x in.
        weight: W, out x in, frozen.
        bias: out, frozen, or None.
        a: A, r x in.
        b: B, out x r.

    Returns:
        ... x out. Where the sum W + B A costs less than two thin products a token, it is formed;
        never in bf16, where a small update would be rounded away.
    """
    (outputs, inputs), rank = weight.shape, a.shape[0]
    if weight.dtype == torch.float32 and 3 * rank * (inputs + outputs) > inputs * outputs:
        return nn.functional.linear(x, weight + b @ a, bias)
    a, b = a.to(weight.dtype), b.to(weight.dtype)
    rows = x.to(weight.dtype).flatten(0, -2)
    product: Any = _LowRankLinear.apply(rows, weight, bias, a, b)
    return product.unflatten(0, x.shape[:-1])


class _LowRankLinear(Function):
    """Both products are accumulated by the matrix multiplication itself, forward and backward.

    No tensor of N x out or N x in is made besides the output and the gradient of x.
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
    """Return y times a factor an output, plus the bias, in y's dtype and rounded once.

    Args:
        y: ... x out.
        factor: out, in the dtype that all of it is computed in.
        bias: out, frozen, or None.
    """
    scaled: Any = _ScaledOutputs.apply(y, factor, bias)
    return scaled


class _ScaledOutputs(Function):
    """With z = y f + b: dy = f dz and df = sum(dz y). Where there is no bias y f is made narrow."""

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
            rows = max(1, _WIDE // y.shape[-1])
            parts = zip(grad.flatten(0, -2).split(rows), y.flatten(0, -2).split(rows), strict=True)
            by_factor = torch.zeros_like(factor)
            for grad_NO, y_NO in parts:
                by_factor += (grad_NO.to(factor.dtype) * y_NO).sum(0)
        return by_y, by_factor, None
