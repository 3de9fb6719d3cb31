"""LN tuning: only the gains of the norm layers are trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from verirank.config import DefaultRates, InputError
from verirank.methods._peft_method import ADAPTER, PeftMethod, adapted_layers
from verirank.methods._policy import Policy
from verirank.models import ModelShape, norms_of


class LNTuning(PeftMethod):
    """Trains a copy of every norm layer (arXiv:2312.11420)."""

    name = "ln-tuning"
    family = "vector"
    reference = "arXiv:2312.11420"
    default_rates = DefaultRates(micro=2.7e-2, other=5e-4, how_found="a guess: five times lora's")
    serves = "norms"

    def targets(self, model: nn.Module) -> set[str]:
        """Return every norm layer.

        Raises:
            InputError: no norm of the model has a gain or a bias.
        """
        norms = set(norms_of(model))
        if not norms:
            raise InputError(
                "method 'ln-tuning' has nothing to train: no norm of the model has a gain or a bias"
            )
        return norms

    def count(self, shape: ModelShape) -> int:
        """Return the number of gains of all norms."""
        return shape.norm_gains

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return an LNTuningConfig that lists every norm."""
        from peft import LNTuningConfig

        return LNTuningConfig(task_type="CAUSAL_LM", target_modules=sorted(self.targets(model)))

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Attach peft's copies of the norms."""
        with warnings.catch_warnings():
            # peft looks for an input and an output size, which a norm has not and does not need.
            warnings.filterwarnings("ignore", "Unsupported layer type", UserWarning)
            return super().attach(model, seed=seed, total_steps=total_steps, initial=initial)

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return copies of the trained gains."""
        trained = layer.ln_tuning_layers[ADAPTER].named_parameters()
        return {name: parameter.detach().clone() for name, parameter in trained}

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """No norm of the model is left out."""
        norms = norms_of(policy.base.model).keys()
        covered = adapted_layers(policy.model).keys() & norms
        return len(norms) == len(covered) > 0, f"{len(covered)}/{len(norms)} norms trained"
