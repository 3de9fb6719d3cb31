"""rsLoRA: LoRA scaled by alpha / sqrt(r), so that a higher rank does not learn more slowly."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from verirank.methods.lora import LoRA


class RsLoRA(LoRA):
    """LoRA with rank-stabilised scaling (arXiv:2312.03732, theorem 3.2)."""

    name = "rslora"
    reference = "arXiv:2312.03732"

    flags: ClassVar[dict[str, Any]] = {"use_rslora": True}

    @property
    def scale(self) -> float:
        """The factor alpha / sqrt(r) of the update."""
        return self.config.resolved_alpha / math.sqrt(self.config.rank)
