"""What methods have in common whose forward pass and merge are peft's own."""

from __future__ import annotations

import copy
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from verirank.config import InputError
from verirank.methods._peft_method import ADAPTER, PeftMethod, adapted_layers
from verirank.methods._policy import Policy
from verirank.models import ModelShape

if TYPE_CHECKING:
    from peft import PeftConfig

__all__ = ["LowRankTuner", "PeftTuner", "publishes", "updates"]


class PeftTuner(PeftMethod):
    """A tuner of peft's: peft builds and computes it, and merges it into a copy to publish."""

    changes: ClassVar[tuple[str, ...]] = ("weight",)
    """Which parameters of an adapted linear its merge changes: `weight`, `bias`."""
    frozen: ClassVar[tuple[str, ...]] = ()
    """Parts of the names of peft's frozen buffers that a resume must not draw or compute anew."""
    sparse: ClassVar[bool] = False
    """Whether peft computes with sparse tensors; unless told, torch warns that it checks none."""
    expected_warnings: ClassVar[tuple[str, ...]] = ()
    """Beginnings of what peft warns of whenever it builds this tuner."""

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of in x out: peft multiplies the inputs by the whole update."""
        return sum(i * o for i, o in shape.adapted(self.config.modules))

    def wrap(self, model: nn.Module, config: PeftConfig, seed: int) -> nn.Module:
        """Return peft's wrapper, whose own tensors are fp32, frozen ones too.

        peft keeps frozen factors in the base's dtype. Over a bf16 base its merge would round the
        update to bf16 before it adds it.
        """
        plain = list(model.buffers())
        if self.sparse:
            torch.sparse.check_sparse_tensor_invariants.disable()
        with warnings.catch_warnings():
            for beginning in self.expected_warnings:
                warnings.filterwarnings("ignore", beginning)
            adapted = super().wrap(model, config, seed)
        for module in adapted.modules():
            for name, buffer in module._buffers.items():
                if _is_wide(buffer) and not any(buffer is other for other in plain):
                    module._buffers[name] = buffer.to(torch.float32)  # pyright: ignore
        return adapted

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what peft's merge makes of an fp32 copy of the base's module."""
        merged = _copy_over(layer, base)
        merged.merge(adapter_names=[ADAPTER])
        parameters = dict(merged.base_layer.named_parameters())
        return {n: parameters[n].data for n in self.changes if n in parameters}

    def extra_state(self, policy: Policy) -> dict[str, Tensor]:
        """Return the frozen buffers, so that a resume does not rely on making them again."""
        buffers: Any = policy.model.named_buffers()
        return {n: b for n, b in buffers if any(part in n for part in self.frozen)}

    def load_extra_state(self, policy: Policy, state: Mapping[str, Tensor]) -> None:
        """Take back the frozen buffers."""
        for name, tensor in self.extra_state(policy).items():
            tensor.copy_(state[name])

    def refuse(self, reason: str) -> InputError:
        """Return the error of settings that do not suit a model."""
        return InputError(f"method {self.name!r}: {reason}")


class LowRankTuner(PeftTuner):
    """A tuner whose update is a product of low rank, which a plain LoRA can hold."""

    @abstractmethod
    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return A (k x in) and B (out x k), with every scale in them, of one of peft's layers."""

    @torch.no_grad()
    def low_rank_update(self, policy: Policy) -> dict[str, tuple[Tensor, Tensor]]:
        """Return the factors of every adapted module."""
        return {name: self.factors_of(lay) for name, lay in adapted_layers(policy.model).items()}


def updates(policy: Policy) -> Iterator[tuple[Any, Tensor, Tensor]]:
    """Yield (peft's layer, fp32 base weight, published weight) of every adapted linear."""
    published = policy.unfolded_weights()
    for name, layer in adapted_layers(policy.model).items():
        weight: Any = policy.original.get_submodule(name).weight
        yield layer, weight.detach().to(torch.float32), published[f"{name}.weight"]


def publishes(policy: Policy, update_of: Callable[[Any, Tensor], Tensor]) -> tuple[bool, str]:
    """Return whether every published weight is the base's plus its update, and how far off.

    Args:
        policy: a policy whose updates are not zero.
        update_of: gives an update (out x in) from peft's layer and the fp32 base weight.
    """
    error, size = 0.0, 0.0
    for layer, weight, published in updates(policy):
        update = update_of(layer, weight).detach()
        error = max(error, float((published - weight - update).abs().max()))
        size = max(size, float(update.abs().max()))
    return size > 0 and error < 1e-5 * max(1.0, size), f"off by {error:.1e} of {size:.1e}"


def _is_wide(buffer: Tensor | None) -> bool:
    return buffer is not None and buffer.is_floating_point() and buffer.dtype != torch.float32


def _copy_over(layer: Any, base: Mapping[str, Tensor]) -> Any:
    """Return peft's layer once more, sharing its adapter, over copies of the given parameters."""
    outputs, inputs = base["weight"].shape
    linear = nn.Linear(inputs, outputs, bias="bias" in base, device="meta")
    for name, tensor in base.items():
        # Conv1D's weight is transposed, and some tuners write into a flat view of it.
        copied = tensor.clone(memory_format=torch.contiguous_format)
        setattr(linear, name, nn.Parameter(copied, requires_grad=False))
    twin = copy.copy(layer)
    twin._modules = {**layer._modules, "base_layer": linear}
    twin.merged_adapters = []
    return twin
