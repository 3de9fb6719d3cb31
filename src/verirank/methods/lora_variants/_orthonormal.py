"""LoRA whose A starts as right singular vectors of the weight, B from zero."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._svd_initialised import expect_singular_values
from verirank.methods.lora import LoRA


class OrthonormalStart(LoRA):
    """A starts with orthonormal rows, so that the base stays as it is and B alone has a scale."""

    family = "svd-initialised"

    @abstractmethod
    def chosen(self, values: Tensor) -> Tensor:
        """Return the r of all singular values or vectors, in descending order, that A starts as."""

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
        """Attach LoRA and set every A; a loaded policy takes its own A back afterwards."""
        adapted = super().attach(model, seed=seed, total_steps=total_steps, initial=initial)
        for layer in adapted_layers(adapted).values():
            weight = layer.base_layer.weight.data.to(torch.float32)
            right = torch.linalg.svd(weight, full_matrices=False).Vh
            layer.lora_A[ADAPTER].weight.data = self.chosen(right).contiguous()
        return adapted

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Made anew, A is orthonormal, and W A^T as long as the chosen singular values."""
        start = Policy.create(policy.base, self.config, seed=policy.seed, total_steps=1)
        crooked, off = 0.0, 0.0
        for name, layer in adapted_layers(start.model).items():
            module: Any = policy.original.get_submodule(name)
            weight = module.weight.data.to(torch.float32)
            a = layer.lora_A[ADAPTER].weight.detach()
            identity = torch.eye(len(a), device=a.device)
            crooked = max(crooked, float((a @ a.T - identity).abs().max()))
            values = torch.linalg.svdvals(weight)
            lengths = (weight @ a.T).norm(dim=0)
            off = max(off, float((lengths - self.chosen(values)).abs().max() / values[0]))
        right_scale, detail = self.scaled_by(policy)
        passed = right_scale and crooked < 1e-4 and off < 1e-4
        return passed, f"A off orthonormal by {crooked:.1e}, values by {off:.1e}; {detail}"
