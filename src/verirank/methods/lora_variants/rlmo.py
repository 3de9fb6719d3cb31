"""RLMO: LoRA whose A starts as the minor right singular vectors of every weight."""

from __future__ import annotations

from torch import Tensor

from verirank.config import DefaultRates
from verirank.methods.lora_variants._orthonormal import OrthonormalStart


class RLMO(OrthonormalStart):
    """A = V_r^T of the r smallest singular values, B = 0 (arXiv:2606.31813)."""

    name = "rlmo"
    reference = "arXiv:2606.31813"
    default_rates = DefaultRates(
        micro=1e-3, other=1e-5, how_found="its paper's released script, rank 16; micro: lora's"
    )

    def chosen(self, values: Tensor) -> Tensor:
        """Return the last."""
        return values[-self.config.rank :]
