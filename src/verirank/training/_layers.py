"""Parts of a decoder layer with a backward pass of their own, which keep less for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def fuse_layers(model: PreTrainedModel) -> None:
    """Let RMS norms and gated MLPs be those below, where they compute what Llama's do.

    Most models' are Llama's to the letter under another name, which the code of their forward pass
    tells. An fp32 model keeps its norms: of its inputs there is no fp32 copy to be spared.
    """
    from transformers.activations import SiLUActivation
    from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm

    narrow = model.dtype != torch.float32
    for module in model.modules():
        kind = type(module)
        if narrow and _same_forward(kind, LlamaRMSNorm):
            module.__class__ = RMSNorm
        elif _same_forward(kind, LlamaMLP) and isinstance(module.act_fn, SiLUActivation):
            module.__class__ = SwiGLU


def _same_forward(one: type[nn.Module], other: type[nn.Module]) -> bool:
    """Return whether two classes' forward passes are the same code, whatever they are called."""
    code = _code(one)
    return code is not None and code == _code(other)


def _code(kind: type[nn.Module]) -> tuple[object, ...] | None:
    """Return the code of a forward pass; None for a wrapper's, the same whatever it wraps."""
    code = getattr(kind.forward, "__code__", None)
    if code is None or code.co_freevars:
        return None
    return code.co_code, code.co_names, code.co_consts


class RMSNorm(nn.Module):
    """Takes the place of a norm's class; its gain and epsilon stay where they are.

    transformers writes the norm out in fp32, so that autograd keeps an fp32 copy of every input
    and goes over it a dozen times.
    """

    weight: Tensor
    variance_epsilon: float

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Return the gain times each row over its root mean square, ... x H."""
        normed: Any = _RMSNorm.apply(hidden_states, self.weight, self.variance_epsilon)
        return normed


class _RMSNorm(Function):
    """With r = 1 / sqrt(mean(x^2) + e), n = r x and y = w n (arXiv:1910.07467, equation 4).

    With g = w dy: dx = r (g - r^2 x mean(g x)), and dw = sum(dy n). As in Llama's, n is computed in
    fp32, and rounded to the dtype of x before it meets the gain.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        wide = x.float()
        norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        scale = norm.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, scale, weight)
        return weight * (wide * scale).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad,) = gradients
        x, scale, weight = ctx.saved_tensors
        wide = x.float()
        by_x = by_weight = None
        if ctx.needs_input_grad[1]:
            by_weight = (grad.float() * (wide * scale).to(x.dtype)).flatten(0, -2).sum(0)
        if ctx.needs_input_grad[0]:
            by_x = (grad * weight).float()
            mean = torch.linalg.vecdot(by_x, wide).unsqueeze(-1).div_(x.shape[-1])
            by_x = by_x.addcmul_(wide, mean.mul_(scale.square()), value=-1).mul_(scale).to(x.dtype)
        return by_x, by_weight, None


class SwiGLU(nn.Module):
    """Takes the place of a gated MLP's class; its linear maps stay where they are."""

    gate_proj: nn.Module
    up_proj: nn.Module
    down_proj: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer makes of every token, ... x H."""
        return self.down_proj(_Gated.apply(self.gate_proj(x), self.up_proj(x)))


class _Gated(Function):
    """With s = silu(g): y = s u, du = s dy, dg = silu'(g) u dy (arXiv:2002.05202, equation 6).

    s is computed again in the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return nn.functional.silu(gate) * up

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor]:
        (grad,) = gradients
        gate, up = ctx.saved_tensors
        by_gate = torch.ops.aten.silu_backward(grad * up, gate)
        return by_gate, nn.functional.silu(gate).mul_(grad)
