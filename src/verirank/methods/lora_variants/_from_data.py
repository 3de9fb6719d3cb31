"""LoRA that starts from a pass of the base over training prompts and completions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from verirank.config import InputError
from verirank.methods._peft_method import adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import LowRankConfig
from verirank.methods._start_data import StartData, see_inputs
from verirank.methods._svd_initialised import ResidualLoRA


class StartConfig(LowRankConfig):
    """A LoRA whose start is computed from the completions of so many training problems."""

    problems: int = Field(default=16, ge=1)


class ResidualFromData(ResidualLoRA):
    """A start that is computed from data, and taken out of the frozen weight as PiSSA's is."""

    family = "data-initialised"
    Config = StartConfig
    flags: ClassVar[dict[str, Any]] = {"init_lora_weights": False}

    @abstractmethod
    def start_from(self, model: nn.Module, data: StartData) -> dict[str, Tensor]:
        """Return every A and B, by the name of the adapted module."""

    def factors(self, layer: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Refuse: no factors follow from a weight alone.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"method {self.name!r} starts from data, not from a weight")


def data_of(policy: Policy) -> StartData:
    """Return the data that a new policy started from.

    Raises:
        InputError: the policy was loaded.
    """
    if policy.data is None:
        raise InputError("a policy that was loaded keeps no data that it started from")
    return policy.data


def first_layer(policy: Policy) -> tuple[str, Tensor]:
    """Return the name and the fp32 weight of the adapted layer that is first in the alphabet."""
    name = min(adapted_layers(policy.model))
    module: Any = policy.original.get_submodule(name)
    return name, module.weight.detach().to(torch.float32)


def inputs_of(policy: Policy, name: str) -> list[Tensor]:
    """Return what the base gives a layer in a pass over the policy's data, a part at a time."""
    parts: list[Tensor] = []
    model = policy.base.unfolded_copy()
    see_inputs(model, [name], data_of(policy), lambda _, rows: parts.append(rows.clone()))
    return parts
