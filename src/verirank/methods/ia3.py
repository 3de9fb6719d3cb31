"""IA3: keys, values and the feed-forward activations are rescaled by learned vectors."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER, PeftMethod, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.models import ModelShape

_DEFAULT = ("k_proj", "v_proj", "down_proj")
_FUSED = ("qkv_proj", "query_key_value", "Wqkv", "c_attn")
"""Keys and values in one linear with the queries, which are then rescaled along."""
_INPUT_SIDE = ("down_proj", "dense_4h_to_h", "fc2", "c_proj", "fc_out", "w2")
"""The linear that reads the feed-forward activations, which IA3 rescales before it."""
_ATTENTION_OUTPUTS = ("attn.c_proj",)


class _Config(ModulesConfig):
    modules: tuple[str, ...] = _DEFAULT


class IA3(PeftMethod):
    """Trains a factor an output of k and v, and an input of down (arXiv:2205.05638, section 3.3).

    Where a model has other names for these by default, or fuses keys and values with the queries,
    those are taken; without a linear feed-forward layer keys and values alone.
    A factor on the output side rescales the bias with the weight.
    """

    name = "ia3"
    family = "vector"
    reference = "arXiv:2205.05638"
    default_rates = DefaultRates(micro=3e-2, other=1e-3, how_found="a guess: ten times lora's")
    Config = _Config

    def count(self, shape: ModelShape) -> int:
        """Return the sum of the outputs, of the inputs for down."""
        linears = shape.by_name(self.modules_among(shape.paths))
        return sum(number * (i if n in _INPUT_SIDE else o) for n, i, o, number in linears)

    def modules_among(self, paths: Collection[str]) -> tuple[str, ...]:
        """Return the modules of the settings, by default under the names that the model has."""
        own = self.config.modules
        if tuple(name for name in own if not name.startswith("!")) != _DEFAULT:
            return own
        linears = {path.rpartition(".")[2] for path in paths}
        attention = [n for n in _DEFAULT[:2] if n in linears] or [n for n in _FUSED if n in linears]
        feedforward = [name for name in _INPUT_SIDE if name in linears]
        # In GPT-2, the output of attention has the name of the feed-forward layer.
        outputs = [f"!{path}" for path in _ATTENTION_OUTPUTS if path in paths]
        left_out = [name for name in own if name.startswith("!")]
        return (*attention, *feedforward[:1], *outputs, *left_out) if attention else own

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return an IA3Config."""
        from peft import IA3Config

        modules = self.module_names(model)
        return IA3Config(
            task_type="CAUSAL_LM",
            target_modules=modules,
            feedforward_modules=[n for n in modules if n.rpartition(".")[2] in _INPUT_SIDE],
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
        published, wrong = policy.unfolded_weights(), []
        for name, layer in adapted_layers(policy.model).items():
            module: Any = policy.original.get_submodule(name)
            factor, inputs = layer.ia3_l[ADAPTER].detach(), name.rpartition(".")[2] in _INPUT_SIDE
            shape = (1, module.in_features) if inputs else (module.out_features, 1)
            if factor.shape != shape:
                wrong.append(name)
            elif not inputs and module.bias is not None:
                expected = module.bias.detach().to(torch.float32) * factor.flatten()
                if not torch.equal(published.get(f"{name}.bias", torch.empty(0)), expected):
                    wrong.append(f"{name}.bias")
        return not wrong, f"wrong: {', '.join(wrong)}" if wrong else "factors and biases in place"
