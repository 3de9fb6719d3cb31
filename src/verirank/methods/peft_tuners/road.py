"""RoAd: pairs of outputs are turned and stretched."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Any

from pydantic import Field
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class _Config(ModulesConfig):
    group_size: int = Field(default=64, ge=2)


class RoAd(PeftTuner):
    """Each pair of outputs times alpha (cos t, -sin t; sin t, cos t) (arXiv:2409.00119).

    An output and the one half a group further are a pair. The group is the greatest common divisor
    of `group_size` and all outputs. A bias is turned with its weight.
    """

    name = "road"
    family = "vector"
    reference = "arXiv:2409.00119"
    default_rates = DefaultRates(micro=1e-2, other=1e-3, how_found="a guess: ten times lora's")
    Config = _Config
    changes = ("weight", "bias")

    def count(self, shape: ModelShape) -> int:
        """Return the sum of the outputs: an angle and a factor for every pair."""
        return sum(o for _, o in shape.adapted(self.config.modules))

    def multiplications(self, shape: ModelShape) -> int:
        """Return none: outputs are scaled and swapped."""
        return 0

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a RoadConfig of one angle and factor a pair.

        Raises:
            InputError: a linear has an odd number of outputs.
        """
        from peft import RoadConfig

        modules: list[Any] = [model.get_submodule(name) for name in self.targets(model)]
        group = gcd(self.config.group_size, *(module.weight.shape[0] for module in modules))
        if group % 2:
            raise self.refuse("an adapted linear has an odd number of outputs, which make no pairs")
        return RoadConfig(
            task_type="CAUSAL_LM",
            variant="road_1",
            group_size=group,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Two rows that are a pair are stretched by their factor together."""
        error, moved = 0.0, 0.0
        for layer, weight, published in updates(policy):
            half = layer.group_size[ADAPTER] // 2
            before, after = (
                rows.unflatten(0, (-1, 2, half)).norm(dim=(1, 3)) for rows in (weight, published)
            )
            factor = layer.road_alpha[ADAPTER].detach().reshape(-1, half).abs()
            gap = (after - factor * before).abs().max() / before.max()
            error, moved = max(error, float(gap)), max(moved, float((published - weight).norm()))
        return moved > 0 and error < 1e-5, f"pairs off by {error:.1e} (relative), moved {moved:.1e}"
