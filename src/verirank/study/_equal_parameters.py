"""The rank by which a method trains about as many parameters as LoRA does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from verirank.config import TrialConfig, load_plugin

if TYPE_CHECKING:
    from verirank.models import ModelShape

MATCHED_WITHIN = 1.25
"""Trainable parameters within this factor count as matched."""


def known_to_lora(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an arm's changes but for settings of its method that LoRA has not."""
    own = {f"method.{key}" for key in load_plugin("method", "lora").Config.model_fields}
    return {k: v for k, v in changes.items() if not k.startswith("method.") or k in own}


def matched(arm: TrialConfig, lora: TrialConfig) -> TrialConfig:
    """Return the arm at the rank whose trainable parameters come closest to those of LoRA's arm.

    Where no rank comes near, as of a method that has none, the arm is left as it is.
    """
    from verirank.models import load_shape

    settings = arm.method.model_dump()
    if "rank" not in settings:
        return arm
    shape = load_shape(arm.model)
    wanted = _count(lora.method.model_dump(), shape)
    rank, gap = 1, float("inf")
    for candidate in range(1, shape.hidden + 1):
        count = _count(settings | {"rank": candidate}, shape)
        if abs(count - wanted) < gap:
            rank, gap = candidate, abs(count - wanted)
        if count > wanted:
            break
    if not _is_as_many(wanted + gap, wanted):
        return arm
    method = type(arm.method).model_validate(settings | {"rank": rank})
    return arm.model_copy(update={"method": method})


def are_matched(arm: TrialConfig, lora: TrialConfig) -> bool:
    """Return whether an arm trains about as many parameters as LoRA's arm."""
    from verirank.models import load_shape

    shape = load_shape(arm.model)
    return _is_as_many(*(_count(one.method.model_dump(), shape) for one in (arm, lora)))


def _is_as_many(count: float, wanted: float) -> bool:
    """Return whether a number of trainable parameters is within a quarter of another."""
    return max(count, wanted) <= MATCHED_WITHIN * min(count, wanted)


def _count(settings: Mapping[str, Any], shape: ModelShape) -> int:
    from verirank.methods import create_method

    config = load_plugin("method", settings["name"]).Config.model_validate(dict(settings))
    return create_method(config).count(shape)
