"""LoRA-GA: LoRA that starts from the singular vectors of the first gradient of every weight."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._start_data import StartData, gradients_of
from verirank.methods._svd_initialised import expect_singular_values
from verirank.methods.lora_variants._from_data import (
    ResidualFromData,
    StartConfig,
    data_of,
    first_layer,
)
from verirank.models import ModelShape


class _Config(StartConfig):
    """`gamma` divides the start's size."""

    gamma: float = Field(default=16.0, gt=0)


class LoRAGA(ResidualFromData):
    """A0 = c V_1..r^T, B0 = c U_r+1..2r of the gradient U S V^T, c = out^1/4 / gamma^1/2.

    arXiv:2407.05000, sec. 3.3. The gradient is that of the policy-gradient loss on completions of
    the base, which is what the first step descends. peft 0.21 multiplies B0 by the singular values
    instead of A0 by c; a policy gradient's are so small that its B0 is next to zero.
    """

    name = "lora-ga"
    reference = "arXiv:2407.05000"
    Config = _Config
    start_pass = "backward"
    default_rates = DefaultRates(micro=1e-4, other=1e-5, how_found="a guess: pissa's")

    def start_numbers(self, shape: ModelShape) -> int:
        """Return the sum of in x out: the gradients of the adapted linears."""
        return sum(i * o for i, o in shape.adapted(self.config.modules))

    def expect_shapes(self, model: nn.Module) -> None:
        """Refuse a rank of which twice as much is above that of an adapted matrix.

        Raises:
            InputError: it is.
        """
        expect_singular_values(self, model, 2 * self.config.rank, "twice the rank, {},")

    def start_from(self, model: nn.Module, data: StartData) -> dict[str, Tensor]:
        """Return A0 and B0 of every adapted linear.

        Raises:
            InputError: no gradient is left.
        """
        rank, state = self.config.rank, dict[str, Tensor]()
        names = sorted(self.targets(model))
        gradients = gradients_of(model, names, data)
        for name in names:
            gradient = gradients.pop(name)
            left, _, right = torch.linalg.svd(gradient, full_matrices=False)
            size = self._size(gradient)
            state[f"{name}.lora_A"] = size * right[:rank]
            state[f"{name}.lora_B"] = size * left[:, rank : 2 * rank]
        return state

    def _size(self, gradient: Tensor) -> float:
        return gradient.shape[0] ** 0.25 / self.config.gamma**0.5

    def start_off(self, policy: Policy) -> float:
        """Return how far G A0^T and B0^T G are from the first 2 r singular values of G, over c."""
        name, _ = first_layer(policy)
        model, rank = policy.base.unfolded_copy(), self.config.rank
        gradient = gradients_of(model, [name], data_of(policy))[name]
        a, b = (policy.initial[f"{name}.{part}"] for part in ("lora_A", "lora_B"))
        lengths = torch.cat([(gradient @ a.T).norm(dim=0), (b.T @ gradient).norm(dim=1)])
        values = torch.linalg.svdvals(gradient)
        off = (lengths / self._size(gradient) - values[: 2 * rank]).abs().max()
        return float(off / values[0])
