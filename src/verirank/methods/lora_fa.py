"""LoRA-FA: LoRA with A frozen, and the gradient of B projected to follow the full gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods.lora import LoRA
from verirank.models import ModelShape


class LoRAFA(LoRA):
    """Trains B alone; its gradient becomes g (A A^T)^-1 / s^2 (arXiv:2308.03303).

    The projection is a hook in front of AdamW, in fp32: peft's own optimiser projects in bf16 and
    would give this method another optimiser than all the others.
    """

    name = "lora-fa"
    family = "optimiser"
    reference = "arXiv:2308.03303"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r x out over the adapted linears."""
        return sum(self.config.rank * o for _, o in shape.adapted(self.config.modules))

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Attach LoRA and freeze every A where it was drawn."""
        adapted = super().attach(model, seed=seed, total_steps=total_steps, initial=initial)
        for layer in adapted_layers(adapted).values():
            layer.lora_A.requires_grad_(False)
        return adapted

    @torch.no_grad()
    def project_gradients(self, policy: Policy) -> None:
        """Replace every B's gradient g by g (A A^T)^-1 / s^2."""
        for layer in adapted_layers(policy.model).values():
            down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
            if up.grad is not None:
                inverse = torch.linalg.pinv(down @ down.T, hermitian=True)
                up.grad.copy_(up.grad @ inverse / self.scale**2)

    def extra_state(self, policy: Policy) -> dict[str, Tensor]:
        """Return every frozen A, so that a resume does not rely on drawing it again."""
        return _frozen(policy)

    def load_extra_state(self, policy: Policy, state: Mapping[str, Tensor]) -> None:
        """Take back every frozen A."""
        for name, tensor in _frozen(policy).items():
            tensor.copy_(state[name])

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """A stays as drawn through a step, and s^2 (projected g) A A^T gives g back."""
        before = {n: t.clone() for n, t in _frozen(policy).items()}
        step()
        moved = sum(not torch.equal(t, before[n]) for n, t in _frozen(policy).items())
        error = max(_projection_errors(policy, self.scale))
        passed = len(before) > 0 and moved == 0 and error < 1e-3
        return passed, f"{moved}/{len(before)} A moved, projection off by {error:.1e} (relative)"


def _frozen(policy: Policy) -> dict[str, Tensor]:
    parameters: Any = policy.model.named_parameters()
    return {n: p.detach() for n, p in parameters if "lora_A" in n and not p.requires_grad}


@torch.no_grad()
def _projection_errors(policy: Policy, scale: float) -> list[float]:
    layers = adapted_layers(policy.model).values()
    generator = torch.Generator().manual_seed(0)
    rows = {}
    for layer in layers:
        down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        # A gradient that A can produce: with r > in, (A A^T)^-1 is the inverse on A's range only.
        rows[layer] = torch.randn(up.shape[0], down.shape[1], generator=generator) @ down.cpu().T
        up.grad = rows[layer].to(up.device, copy=True)
    policy.method.project_gradients(policy)
    errors = []
    for layer, gradient in rows.items():
        down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        restored = (scale**2 * up.grad @ (down @ down.T)).cpu()
        errors.append(float((restored - gradient).norm() / gradient.norm()))
        up.grad = None
    return errors
