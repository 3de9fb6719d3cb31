"""MiCA: LoRA with B frozen as the minor left singular vectors of every weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._svd_initialised import expect_singular_values
from verirank.methods.lora import LoRA
from verirank.models import ModelShape


class MiCA(LoRA):
    """Trains A from zero; B = U_r of the r smallest singular values (arXiv:2604.01694).

    peft decomposes every weight and freezes B.
    """

    name = "mica"
    family = "svd-initialised"
    reference = "arXiv:2604.01694"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")

    flags: ClassVar[dict[str, Any]] = {"init_lora_weights": "mica"}

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r x in over the adapted linears."""
        return sum(self.config.rank * i for i, _ in shape.adapted(self.config.modules))

    def expect_shapes(self, model: nn.Module) -> None:
        """Refuse a rank above that of an adapted matrix.

        Raises:
            InputError: it is.
        """
        expect_singular_values(self, model, self.config.rank)

    def extra_state(self, policy: Policy) -> dict[str, Tensor]:
        """Return every frozen B: a decomposition may differ from machine to machine."""
        layers = adapted_layers(policy.model)
        return {f"{n}.lora_B": la.lora_B[ADAPTER].weight.detach() for n, la in layers.items()}

    def load_extra_state(self, policy: Policy, state: Mapping[str, Tensor]) -> None:
        """Take back every frozen B."""
        for name, tensor in self.extra_state(policy).items():
            tensor.copy_(state[name])

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """B stays through a step, and B^T W has the r smallest singular values of W."""
        before = {n: t.clone() for n, t in self.extra_state(policy).items()}
        step()
        moved = sum(not torch.equal(t, before[n]) for n, t in self.extra_state(policy).items())
        off = 0.0
        for name, layer in adapted_layers(policy.model).items():
            module: Any = policy.original.get_submodule(name)
            weight = module.weight.data.to(torch.float32)
            values = torch.linalg.svdvals(weight)
            kept = torch.linalg.svdvals(layer.lora_B[ADAPTER].weight.detach().T @ weight)
            gap = (kept[: self.config.rank] - values[-self.config.rank :]).abs().max()
            off = max(off, float(gap / values[0]))
        passed = len(before) > 0 and moved == 0 and off < 1e-3
        return passed, f"{moved}/{len(before)} B moved, singular values off by {off:.1e} (relative)"
