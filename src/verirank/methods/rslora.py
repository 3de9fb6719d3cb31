"""rsLoRA: LoRA scaled by alpha / sqrt(r), so that a higher rank does not learn more slowly."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from verirank.config import DefaultRates
from verirank.methods._settings import LowRankConfig
from verirank.methods.lora import LoRA

_ALPHA = 16.0
"""Twice the rank of 8 at which the default rate for `micro` was found."""


class _Config(LowRankConfig):
    """rsLoRA's settings; an `alpha` of None stands for 16 at every rank."""

    @property
    def resolved_alpha(self) -> float:
        """The numerator of the scale, which must not grow with the rank (theorem 3.2)."""
        return _ALPHA if self.alpha is None else self.alpha


class RsLoRA(LoRA):
    """LoRA with rank-stabilised scaling (arXiv:2312.03732, theorem 3.2)."""

    name = "rslora"
    reference = "arXiv:2312.03732"
    Config = _Config
    default_rates = DefaultRates(
        micro=3e-4, other=5e-5, how_found="a guess: below lora's, because its scale is larger"
    )

    flags: ClassVar[dict[str, Any]] = {"use_rslora": True}

    @property
    def scale(self) -> float:
        """The factor alpha / sqrt(r) of the update."""
        return self.config.resolved_alpha / math.sqrt(self.config.rank)
