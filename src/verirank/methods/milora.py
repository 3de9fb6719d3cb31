"""MiLoRA: LoRA that starts from the minor singular components of every weight."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from verirank.config import DefaultRates
from verirank.methods._svd_initialised import SVDInitialised


class MiLoRA(SVDInitialised):
    """s B0 A0 = U_r S_r V_r^T of the r smallest singular values (arXiv:2406.09044, eq. 3-5)."""

    name = "milora"
    reference = "arXiv:2406.09044"
    default_rates = DefaultRates(micro=1e-3, other=1e-5, how_found="a guess: pissa's")

    def factors(self, layer: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return A = sqrt(S / s) V^T and B = U sqrt(S / s) of the minor components."""
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        root = (self.kept_values(values) / self.scale).sqrt()
        rank = self.config.rank
        return root.unsqueeze(1) * right[-rank:], left[:, -rank:] * root

    def kept_values(self, values: Tensor) -> Tensor:
        """Return the smallest."""
        return values[-self.config.rank :]
