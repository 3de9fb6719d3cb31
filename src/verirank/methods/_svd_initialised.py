"""Adapters that start from a part of the base, which leaves the frozen weight."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import InputError
from verirank.methods._adapter import Adapter
from verirank.methods._adapters_of import lora_adapter
from verirank.methods._low_rank import ranks_of
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods.lora import LoRA


class ResidualLoRA(LoRA):
    """W = (W0 - s B0 A0) + s B A, published as W0 + s (B A - B0 A0) from the untouched base.

    The initial adapter is stored and loaded, never decomposed anew: a decomposition may differ
    from machine to machine, and then the residual would belong to another adapter.
    """

    family = "svd-initialised"
    edits_base = True

    @abstractmethod
    def factors(self, layer: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the initial A (r x in) and B (out x r) for an fp32 weight (out x in)."""

    @abstractmethod
    def start_off(self, policy: Policy) -> float:
        """Return how far the initial adapter is from what the method takes out of the base."""

    def expect_shapes(self, model: nn.Module) -> None:
        """Refuse a rank above that of an adapted matrix.

        Raises:
            InputError: it is.
        """
        expect_singular_values(self, model, self.config.rank)

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Attach LoRA, set its factors, and leave the residual in the policy's own copy."""
        modules: dict[str, Any] = {name: model.get_submodule(name) for name in self.targets(model)}
        plain: dict[str, Tensor] = {name: module.weight.data for name, module in modules.items()}
        config = self.peft_config(model, seed=seed, total_steps=total_steps)
        if initial is not None:
            config.init_lora_weights = False
        adapted = self.wrap(model, config, seed)
        for name, layer in adapted_layers(adapted).items():
            weight = plain[name].to(torch.float32)
            factors = self.factors(layer, weight) if initial is None else _stored(initial, name)
            # A loaded tensor is contiguous, and products of other strides round differently.
            a, b = (factor.contiguous() for factor in factors)
            layer.lora_A[ADAPTER].weight.data, layer.lora_B[ADAPTER].weight.data = a, b
            # Taken from the factors as trained: peft rounds them to a bf16 base's dtype only after
            # it has computed the residual.
            layer.base_layer.weight.data = (weight - self.scale * b @ a).to(plain[name].dtype)
        return adapted

    def initial_state(self, model: nn.Module) -> dict[str, Tensor]:
        """Return copies of every A and B, by the name of the adapted module."""
        state = {}
        for name, layer in adapted_layers(model).items():
            for part in ("lora_A", "lora_B"):
                state[f"{name}.{part}"] = getattr(layer, part)[ADAPTER].weight.detach().clone()
        return state

    def effective_weights(self, policy: Policy) -> Iterator[tuple[str, Tensor]]:
        """Yield W0 + s (B A - B0 A0)."""
        for name, layer in adapted_layers(policy.model).items():
            a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
            a_0, b_0 = _stored(policy.initial, name)
            module: Any = policy.original.get_submodule(name)
            yield (
                f"{name}.weight",
                module.weight.data.to(torch.float32) + self.scale * (b @ a - b_0 @ a_0),
            )

    def low_rank_update(self, policy: Policy) -> dict[str, tuple[Tensor, Tensor]]:
        """Return [A; A0] and s [B, -B0], of rank 2r."""
        return plain_lora(policy)

    def adapter(self, policy: Policy) -> Adapter:
        """Return a LoRA of rank 2r: peft's own format would need the edited base beside it."""
        return lora_adapter(policy)

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Residual and initial adapter make up the base; a LoRA of rank 2r says the same."""
        residual, converted = 0.0, 0.0
        published, lora = policy.unfolded_weights(), plain_lora(policy)
        for name, layer in adapted_layers(policy.model).items():
            module: Any = policy.original.get_submodule(name)
            weight, (a_0, b_0) = module.weight.data, _stored(policy.initial, name)
            rest = layer.base_layer.weight.data.to(torch.float32)
            residual = max(residual, _off(rest + self.scale * b_0 @ a_0, weight))
            a, b = lora[name]
            converted = max(converted, _off(weight + b @ a, published[f"{name}.weight"]))
        start = self.start_off(policy)
        passed = residual < 1e-2 if policy.base.dtype == torch.bfloat16 else residual < 1e-5
        return (
            passed and converted < 1e-5 and start < 1e-3,
            f"residual + adapter off the base by {residual:.1e}, rank-{2 * self.config.rank} LoRA "
            f"by {converted:.1e}, its start by {start:.1e} (relative)",
        )


class SVDInitialised(ResidualLoRA):
    """A start from r of the singular components of every weight."""

    @abstractmethod
    def kept_values(self, values: Tensor) -> Tensor:
        """Return the r singular values, out of all in descending order, that the adapter takes."""

    def start_off(self, policy: Policy) -> float:
        """Return how far the initial singular values are from those that the method takes."""
        name = sorted(adapted_layers(policy.model))[0]
        module: Any = policy.original.get_submodule(name)
        values = torch.linalg.svdvals(module.weight.data.to(torch.float32))
        a_0, b_0 = _stored(policy.initial, name)
        actual = torch.linalg.svdvals(self.scale * b_0 @ a_0)[: self.config.rank]
        # Relative to the largest value: the minor ones may be as small as rounding.
        return float((actual - self.kept_values(values)).abs().max() / values[0])


def expect_singular_values(
    method: LoRA, model: nn.Module, needed: int, what: str = "rank {}"
) -> None:
    """Refuse a method that takes more singular values than an adapted linear has.

    Args:
        method: the method.
        model: a plain model.
        needed: how many it takes of each linear.
        what: calls that number in the message.

    Raises:
        InputError: it does.
    """
    available = min(ranks_of(model, method.targets(model)))
    if needed > available:
        raise InputError(
            f"method {method.name!r}: {what.format(needed)} exceeds the {available} singular "
            "values of the smallest adapted linear"
        )


def plain_lora(policy: Policy) -> dict[str, tuple[Tensor, Tensor]]:
    """Convert an SVD-initialised policy to a plain LoRA of rank 2r over the untouched base.

    Returns:
        By adapted module: A (2r x in) and B (out x 2r), so that its weight is W0 + B A.
    """
    method = policy.method
    if not isinstance(method, ResidualLoRA):
        raise TypeError(f"method {method.name!r} does not edit the base")
    converted = {}
    for name, layer in adapted_layers(policy.model).items():
        a_0, b_0 = _stored(policy.initial, name)
        a, b = (layer.lora_A[ADAPTER].weight.detach(), layer.lora_B[ADAPTER].weight.detach())
        converted[name] = torch.cat([a, a_0]), method.scale * torch.cat([b, -b_0], dim=1)
    return converted


def _stored(state: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    # Clones: an adapter that trained the stored tensors themselves would move its own origin.
    return state[f"{name}.lora_A"].clone(), state[f"{name}.lora_B"].clone()


def _off(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).norm() / expected.to(torch.float32).norm())
