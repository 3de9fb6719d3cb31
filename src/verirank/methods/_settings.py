"""Settings that several methods have; a method without a rank knows no such key."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import Field, field_validator

from verirank.config import MethodConfig, nearest
from verirank.models import LINEARS

_TYPO = 0.9
"""How alike a name is to one of the seven that is meant to be it: `qkv_proj` is not."""


class ModulesConfig(MethodConfig):
    """A method that adapts linear layers of every block.

    All seven names of a Llama-like block, or `all-linear`, stand for all linear layers of a block
    of any model, experts included. Other names are those of the model's own linear layers. A
    pattern behind a `!` leaves out the layers whose path in their block it matches, such as
    `!*experts*`. Patterns alone leave them out of what the method adapts by default.
    """

    modules: tuple[str, ...] = Field(default=LINEARS, min_length=1)

    @field_validator("modules", mode="before")
    @classmethod
    def _spell_out(cls, modules: Any) -> Any:
        names = [modules] if isinstance(modules, str) else modules
        if not isinstance(names, (list, tuple)):
            return modules
        patterns = [name for name in names if str(name).startswith("!")]
        named = [name for name in names if name not in patterns]
        if named == ["all-linear"]:
            named = LINEARS
        elif patterns and not named:
            named = cls.model_fields["modules"].default
        return (*named, *patterns)

    @field_validator("modules")
    @classmethod
    def _are_linears(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        for module in modules:
            if module.startswith("!"):
                continue
            if not module.isidentifier():
                raise ValueError(f"{module!r} is not the last part of a linear layer's name")
            if module not in LINEARS and get_close_matches(module, LINEARS, cutoff=_TYPO):
                raise ValueError(f"unknown module {module!r}{nearest(module, LINEARS)}")
        # Always in one order, and each once: the same set gives the same draws.
        own = sorted({*modules} - {*LINEARS})
        return (*(name for name in LINEARS if name in modules), *own)


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
