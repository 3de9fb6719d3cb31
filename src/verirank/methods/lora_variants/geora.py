"""GeoRA: LoRA that starts from the small entries of a weight and of its main components."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._settings import LowRankConfig
from verirank.methods._svd_initialised import ResidualLoRA


class _Config(LowRankConfig):
    """`kept` is the fraction of the entries that each mask keeps (rho).

    An `alpha` of None stands for the rank: the accounts that this follows name no other.
    """

    kept: float = Field(default=0.2, gt=0, le=1)

    @property
    def resolved_alpha(self) -> float:
        """The numerator of the scale."""
        return float(self.rank) if self.alpha is None else self.alpha


class GeoRA(ResidualLoRA):
    """B0 A0 = the r main components of W under a mask M (arXiv:2601.09361, eq. 1-8).

    M keeps an entry if it is among the smallest rho of |W|, or if that of W's own approximation of
    rank r is among its smallest rho. s B0 A0 leaves the frozen weight. The authors released no
    code; the equations are those of two accounts of the paper, which agree with each other.
    """

    name = "geora"
    reference = "arXiv:2601.09361"
    Config = _Config
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")

    def factors(self, layer: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return A = S^1/2 V^T and B = U S^1/2 of the masked weight's r main components."""
        left, values, right = torch.linalg.svd(self.masked(weight), full_matrices=False)
        root, rank = values[: self.config.rank].sqrt(), self.config.rank
        return root.unsqueeze(1) * right[:rank], left[:, :rank] * root

    def masked(self, weight: Tensor) -> Tensor:
        """Return a weight (out x in, fp32) with zeros where neither mask keeps its entry."""
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        rank = self.config.rank
        main = (left[:, :rank] * values[:rank]) @ right[:rank]
        return weight * (self._smallest(main) | self._smallest(weight))

    def _smallest(self, matrix: Tensor) -> Tensor:
        """Return which entries are among the smallest fraction, by absolute value."""
        sizes = matrix.abs()
        # Not torch.quantile, which takes 16 million numbers at most.
        threshold = sizes.flatten().kthvalue(max(1, round(self.config.kept * sizes.numel())))
        return sizes <= threshold.values

    def start_off(self, policy: Policy) -> float:
        """Return how much better than B0 A0 any product of rank r could be, relative to W's norm.

        That product leaves of the masked weight what its smaller singular values are.
        """
        name = min(policy.initial).removesuffix(".lora_A")
        module: Any = policy.original.get_submodule(name)
        masked = self.masked(module.weight.data.to(torch.float32))
        a, b = policy.initial[f"{name}.lora_A"], policy.initial[f"{name}.lora_B"]
        least = torch.linalg.svdvals(masked)[self.config.rank :].norm()
        kept = (masked != 0).float().mean()
        if not self.config.kept * 0.99 < kept <= 2 * self.config.kept:
            return float("inf")
        return float(((masked - b @ a).norm() - least) / masked.norm())
