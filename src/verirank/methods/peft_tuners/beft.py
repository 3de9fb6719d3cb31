"""BEFT: the biases of linear layers alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.methods.peft_tuners._tuner import PeftTuner
from verirank.models import ModelShape


class _Config(ModulesConfig):
    modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")


class BEFT(PeftTuner):
    """b' = b + d, d from zero (arXiv:2509.15974).

    Only a linear that has a bias can take it up, as q, k and v of Qwen2 do.
    """

    name = "beft"
    family = "vector"
    reference = "arXiv:2509.15974"
    default_rates = DefaultRates(micro=1e-2, other=1e-3, how_found="a guess: ten times lora's")
    Config = _Config
    changes = ("bias",)

    def count(self, shape: ModelShape) -> int:
        """Return the sum of the outputs."""
        return sum(o for _, o in shape.adapted(self.config.modules))

    def multiplications(self, shape: ModelShape) -> int:
        """Return none: a bias is added."""
        return 0

    def targets(self, model: nn.Module) -> set[str]:
        """Return the linear layers that the settings name.

        Raises:
            InputError: one of them has no bias.
        """
        names = super().targets(model)
        without = {n.rpartition(".")[2] for n in names if model.get_submodule(n).bias is None}
        if without:
            raise self.refuse(
                f"{', '.join(sorted(without))} of this model have no bias that could be trained; "
                "set method.modules to linear layers that have one"
            )
        return names

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a BeftConfig."""
        from peft import BeftConfig

        return BeftConfig(task_type="CAUSAL_LM", target_modules=self.module_names(model))

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Only biases are published, and all of them have moved."""
        base = policy.original.state_dict()
        published = policy.unfolded_weights()
        still = [n for n, t in published.items() if torch.equal(t, base[n].to(torch.float32))]
        others = [n for n in published if not n.endswith(".bias")]
        detail = f"{len(published)} biases, {len(still)} unmoved, {len(others)} other tensors"
        return len(published) > 0 and not still and not others, detail
