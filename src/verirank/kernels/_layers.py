"""RMS norms and gated MLPs with their own backward pass, which saves fewer activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from transformers import PreTrainedModel


# fmt: off
_LLAMA_NORMS = frozenset(
    f"{prefix}RMSNorm"
    for prefix in (
        "Llama", "Mistral", "Ministral", "Mixtral", "Qwen2", "Qwen2Moe", "Qwen3", "Qwen3Moe",
        "SmolLM3", "SeedOss", "Granite", "GraniteMoe", "Glm", "Glm4", "Glm4Moe", "Phi3",
        "Olmoe", "Exaone4", "Ernie4_5", "Ernie4_5_Moe", "Apertus", "Arcee", "HunYuanDenseV1",
        "HunYuanMoEV1", "DeepseekV2", "DeepseekV3", "Dots1", "MiniMax", "Cwm", "Lfm2", "Bamba",
        "Jamba",
    )
)
"""transformers' classes of norms whose forward pass is that of `LlamaRMSNorm`."""
_LLAMA_MLPS = frozenset(
    f"{prefix}MLP"
    for prefix in (
        "Llama", "Mistral", "Ministral", "Qwen2", "Qwen2Moe", "Qwen3", "Qwen3Moe", "SmolLM3",
        "Granite", "Helium", "Olmo", "Olmo2", "Olmo3", "Olmoe", "StableLm", "Cohere", "Cohere2",
        "Exaone4", "Ernie4_5", "HunYuanDenseV1", "HunYuanMoEV1", "DeepseekV2", "DeepseekV3",
        "Dots1", "Glm4Moe", "Cwm", "Gemma", "Gemma2", "Gemma3",
    )
)
"""transformers' classes of gated MLPs whose forward pass is that of `LlamaMLP`."""
# fmt: on


def fuse_layers(model: PreTrainedModel) -> None:
    """Replace RMS norms and gated MLPs that compute what Llama's do by those below.

    Classes are recognised by name, MLPs by their activation, too. An fp32 model keeps its norms:
    they make no fp32 copy of their input that could be saved.
    """
    from transformers.activations import SiLUActivation

    narrow = model.dtype != torch.float32
    for module in model.modules():
        if narrow and _is_one_of(_LLAMA_NORMS, module):
            module.__class__ = RMSNorm
        elif _is_one_of(_LLAMA_MLPS, module) and isinstance(module.act_fn, SiLUActivation):
            module.__class__ = SwiGLU


def keeps_as_llama(model: nn.Module) -> bool:
    """Return whether `fuse_layers` replaces all norms with a gain and all MLPs of a bf16 model."""
    kinds = {type(module).__name__ for module in model.modules()}
    norms = {kind for kind in kinds if kind.endswith("Norm")}
    mlps = {kind for kind in kinds if kind.endswith(("MLP", "Experts"))}
    return bool(norms) and bool(mlps) and norms <= _LLAMA_NORMS and mlps <= _LLAMA_MLPS


def _is_one_of(names: frozenset[str], module: nn.Module) -> bool:
    kind = type(module)
    return kind.__name__ in names and kind.__module__.startswith("transformers.models.")


def plain_rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Return w x / sqrt(mean(x^2) + e), normed in fp32: what `RMSNorm` must equal."""
    wide = x.float()
    return weight * (wide * (wide.square().mean(-1, keepdim=True) + epsilon).rsqrt()).to(x.dtype)


def plain_gate(gate: Tensor, up: Tensor) -> Tensor:
    """Return silu(gate) up: what `SwiGLU` must equal between its linear layers."""
    return nn.functional.silu(gate) * up


class RMSNorm(nn.Module):
    """Replaces the class of a norm, which keeps its gain and epsilon.

    transformers computes the norm step by step in fp32, so autograd saves an fp32 copy of every
    input and reads it a dozen times.
    """

    weight: Tensor
    variance_epsilon: float

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Return the gain times each row over its root mean square, ... x H."""
        normed: Any = _RMSNorm.apply(hidden_states, self.weight, self.variance_epsilon)
        return normed


class _RMSNorm(Function):
    """With r = 1 / sqrt(mean(x^2) + e), n = r x and y = w n (arXiv:1910.07467, equation 4).

    With g = w dy: dx = r (g - r^2 x mean(g x)), and dw = sum(dy n). As in Llama, n is computed in
    fp32 and rounded to the dtype of x before it is multiplied by the gain.
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
    """Replaces the class of a gated MLP, which keeps its linear layers."""

    gate_proj: nn.Module
    up_proj: nn.Module
    down_proj: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Return down(silu(gate x) (up x)), ... x H."""
        return self.down_proj(_Gated.apply(self.gate_proj(x), self.up_proj(x)))


class _Gated(Function):
    """With s = silu(g): y = s u, du = s dy, dg = silu'(g) u dy (arXiv:2002.05202, equation 6).

    s is recomputed in the backward pass.
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
