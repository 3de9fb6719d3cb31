"""IA3: keys, values and the feed-forward activations are rescaled by learned vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from verirank.methods._peft_method import ADAPTER, PeftMethod, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.models import ModelShape

_INPUT_SIDE = "down_proj"
"""The linear that reads the feed-forward activations, which IA3 rescales before it."""


class _Config(ModulesConfig):
    modules: tuple[str, ...] = ("k_proj", "v_proj", "down_proj")


class IA3(PeftMethod):
    """Trains a factor an output of k and v, and an input of down (arXiv:2205.05638, section 3.3).

    A factor on the output side rescales the bias with the weight.
    """

    name = "ia3"
    family = "vector"
    reference = "arXiv:2205.05638"
    Config = _Config

    def count(self, shape: ModelShape) -> int:
        """Return the sum of the outputs, of the inputs for down."""
        sizes = {name: shape.linear(name) for name in self.config.modules}
        return shape.layers * sum(i if n == _INPUT_SIDE else o for n, (i, o) in sizes.items())

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return an IA3Config."""
        from peft import IA3Config

        modules = list(self.config.modules)
        return IA3Config(
            task_type="CAUSAL_LM",
            target_modules=modules,
            feedforward_modules=[name for name in modules if name == _INPUT_SIDE],
        )

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the rescaled weight and, on the output side, the rescaled bias."""
        factor = layer.ia3_l[ADAPTER]
        rescaled = {"weight": base["weight"] * factor}
        if "bias" in base and not layer.is_feedforward:
            rescaled["bias"] = base["bias"] * factor.flatten()
        return rescaled

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Factors stand on the right side, and biases are rescaled along."""
        published, wrong = dict(policy.effective_weights()), []
        for name, layer in adapted_layers(policy.model).items():
            module: Any = policy.base.model.get_submodule(name)
            factor, inputs = layer.ia3_l[ADAPTER].detach(), name.endswith(_INPUT_SIDE)
            shape = (1, module.in_features) if inputs else (module.out_features, 1)
            if factor.shape != shape:
                wrong.append(name)
            elif not inputs and module.bias is not None:
                expected = module.bias.detach().to(torch.float32) * factor.flatten()
                if not torch.equal(published.get(f"{name}.bias", torch.empty(0)), expected):
                    wrong.append(f"{name}.bias")
        return not wrong, f"wrong: {', '.join(wrong)}" if wrong else "factors and biases in place"
