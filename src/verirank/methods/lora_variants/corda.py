"""CorDA: LoRA that starts from the components of a weight that matter to a task's inputs."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._start_data import StartData, see_inputs
from verirank.methods.lora_variants._from_data import (
    ResidualFromData,
    StartConfig,
    first_layer,
    inputs_of,
)
from verirank.models import ModelShape


class _Config(StartConfig):
    """`components` says which of the components are trained: the main ones, or the minor ones.

    peft calls these the instruction-previewed mode (`ipm`) and the knowledge-preserved (`kpm`).
    """

    components: Literal["main", "minor"] = "main"


class CorDA(ResidualFromData):
    """s B0 A0 = U_r S_r V_r^T C^-1 of W C = U S V^T, C the inputs' covariance (arXiv:2406.05223).

    C is the mean over the parts of the data of X^T X, where the inputs X are divided by their
    largest, with as much added to its diagonal as inverting it needs: as in peft, which holds every
    layer's U and V at once.
    """

    name = "corda"
    reference = "arXiv:2406.05223"
    Config = _Config
    start_pass = "forward"
    default_rates = DefaultRates(micro=1e-4, other=1e-5, how_found="a guess: pissa's")

    def start_numbers(self, shape: ModelShape) -> int:
        """Return the sum of in^2, the covariances, and what decomposing the largest layer takes.

        That is W C, its singular vectors, and C as it is inverted with its inverse, their product
        and what that should be.
        """
        linears = list(shape.adapted(self.config.modules))
        one = max(4 * i * i + i * o + min(i, o) * (i + o) for i, o in linears)
        return sum(i * i for i, _ in linears) + one

    @torch.no_grad()
    def start_from(self, model: nn.Module, data: StartData) -> dict[str, Tensor]:
        """Return A0 = (S / s)^1/2 V^T C^-1 and B0 = U (S / s)^1/2 of every adapted linear."""
        sums, parts, state = dict[str, Tensor](), Counter[str](), dict[str, Tensor]()

        def see(name: str, rows: Tensor) -> None:
            covariance = _covariance(rows)
            sums[name] = sums[name] + covariance if name in sums else covariance
            parts[name] += 1

        names = sorted(self.targets(model))
        see_inputs(model, names, data, see)
        for name in names:
            module: Any = model.get_submodule(name)
            covariance = _damped(sums.pop(name) / parts[name])
            left, values, right = self._components(module.weight.to(torch.float32) @ covariance)
            root = (values / self.scale).sqrt()
            weighed = torch.linalg.solve(covariance, right, left=False)
            state[f"{name}.lora_A"] = (root[:, None] * weighed).contiguous()
            state[f"{name}.lora_B"] = (left * root).contiguous()
        return state

    def _components(self, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return U, S and V^T of the components of a matrix that are trained."""
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        rank, main = self.config.rank, self.config.components == "main"
        part = slice(0, rank) if main else slice(len(values) - rank, len(values))
        # Copies, that the others are not kept.
        return left[:, part].clone(), values[part].clone(), right[part].clone()

    def start_off(self, policy: Policy) -> float:
        """Return how far s B0 A0 C is from the components of W C that are trained, relatively."""
        name, weight = first_layer(policy)
        inputs = inputs_of(policy, name)
        covariance = _damped(sum(map(_covariance, inputs), torch.tensor(0.0)) / len(inputs))
        left, values, right = self._components(weight @ covariance)
        a, b = (policy.initial[f"{name}.{part}"] for part in ("lora_A", "lora_B"))
        expected = (left * values) @ right
        return float((self.scale * b @ (a @ covariance) - expected).norm() / expected.norm())


def _covariance(rows: Tensor) -> Tensor:
    """Return the uncentred covariance of inputs (T x in) that are divided by their largest."""
    scaled = rows / rows.max().abs()
    return scaled.T @ scaled


def _damped(covariance: Tensor) -> Tensor:
    """Return a covariance with as much added to its diagonal as inverting it in fp32 needs."""
    identity = torch.eye(len(covariance), device=covariance.device)
    share = 0.01
    while True:
        damped = covariance + share * covariance.diagonal().mean() * identity
        if torch.dist(damped @ torch.linalg.inv(damped), identity) < 0.05:
            return damped
        share *= 2
