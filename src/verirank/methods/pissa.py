"""PiSSA: LoRA that starts from the principal singular components of every weight."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._settings import LowRankConfig
from verirank.methods._svd_initialised import SVDInitialised


class _Config(LowRankConfig):
    """PiSSA's settings; an `alpha` of None stands for the rank."""

    @property
    def resolved_alpha(self) -> float:
        """The numerator of the scale, which its authors set to the rank, for a scale of 1."""
        return float(self.rank) if self.alpha is None else self.alpha


class PiSSA(SVDInitialised):
    """s B0 A0 = U_r S_r V_r^T of the r largest singular values (arXiv:2404.02948, eq. 2-3)."""

    name = "pissa"
    reference = "arXiv:2404.02948"
    Config = _Config
    default_rates = DefaultRates(
        micro=1e-4,
        other=1e-5,
        how_found="a guess: below lora's, because it is unstable at high rates (arXiv:2511.08567)",
    )

    # The exact decomposition: the randomised one gives another adapter at every load.
    flags: ClassVar[dict[str, Any]] = {"init_lora_weights": "pissa"}

    def factors(self, layer: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the factors that peft has just computed."""
        return layer.lora_A[ADAPTER].weight.data, layer.lora_B[ADAPTER].weight.data

    def kept_values(self, values: Tensor) -> Tensor:
        """Return the largest."""
        return values[: self.config.rank]
