"""Settings that several methods have; a method without a rank knows no such key."""

from __future__ import annotations

from pydantic import Field, field_validator

from verirank.config import MethodConfig, nearest
from verirank.models import LINEARS


class ModulesConfig(MethodConfig):
    """A method that adapts linears of every block."""

    modules: tuple[str, ...] = Field(default=LINEARS, min_length=1)

    @field_validator("modules")
    @classmethod
    def _are_linears(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        for module in modules:
            if module not in LINEARS:
                raise ValueError(f"unknown module {module!r}{nearest(module, LINEARS)}")
        # Always in the model's order, and each once: the same set gives the same draws.
        return tuple(name for name in LINEARS if name in modules)


class RankConfig(ModulesConfig):
    """A method whose update has a rank."""

    rank: int = Field(default=32, ge=1)


class LowRankConfig(RankConfig):
    """A LoRA-like method; an `alpha` of None stands for twice the rank."""

    alpha: float | None = Field(default=None, gt=0)

    @property
    def resolved_alpha(self) -> float:
        """The numerator of the adapter's scale."""
        return 2.0 * self.rank if self.alpha is None else self.alpha
