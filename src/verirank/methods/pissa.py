"""PiSSA: LoRA that starts from the principal singular components of every weight."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from verirank.methods._peft_method import ADAPTER
from verirank.methods._svd_initialised import SVDInitialised


class PiSSA(SVDInitialised):
    """s B0 A0 = U_r S_r V_r^T of the r largest singular values (arXiv:2404.02948, eq. 2-3)."""

    name = "pissa"
    reference = "arXiv:2404.02948"

    # The exact decomposition: the randomised one gives another adapter at every load.
    flags: ClassVar[dict[str, Any]] = {"init_lora_weights": "pissa"}

    def factors(self, layer: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the factors that peft has just computed."""
        return layer.lora_A[ADAPTER].weight.data, layer.lora_B[ADAPTER].weight.data

    def kept_values(self, values: Tensor) -> Tensor:
        """Return the largest."""
        return values[: self.config.rank]
