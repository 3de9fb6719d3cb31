"""LoRA with a rank of its own for every type of module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field, field_validator
from torch import nn

from verirank.config import DefaultRates, InputError, nearest
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import LowRankConfig
from verirank.methods.lora import LoRA
from verirank.models import LINEARS, ModelShape

_ATTENTION, _MLP = LINEARS[:4], LINEARS[4:]


class _Config(LowRankConfig):
    # Other methods' rank is that of all modules, and not of those that have no other.
    own_scale = frozenset({"rank"})
    ranks: dict[str, int] = Field(
        default={**dict.fromkeys(_ATTENTION, 16), **dict.fromkeys(_MLP, 48)}
    )

    @field_validator("ranks")
    @classmethod
    def _are_ranks_of_linears(cls, ranks: dict[str, int]) -> dict[str, int]:
        for module, rank in ranks.items():
            if module not in LINEARS:
                raise ValueError(f"unknown module {module!r}{nearest(module, LINEARS)}")
            if rank < 1:
                raise ValueError(f"the rank of {module} is {rank}, below 1")
        return {name: ranks[name] for name in LINEARS if name in ranks}

    def rank_of(self, module: str) -> int:
        """Return the rank of a type of module, the common one where it has none of its own."""
        return self.ranks.get(module, self.rank)


class LoRARanks(LoRA):
    """LoRA (arXiv:2106.09685) whose rank differs from module to module, as `ranks` says.

    The scale alpha / r is the same for all: `alpha` belongs to `rank`, which modules without a rank
    of their own have. By default attention has rank 16 and the MLP 48.
    """

    name = "lora-ranks"
    family = "low-rank"
    reference = "arXiv:2106.09685"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out) over the adapted linears, each with its own r."""
        linears = shape.by_name(self.config.modules)
        return sum(self.config.rank_of(name) * (i + o) * number for name, i, o, number in linears)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a LoraConfig with ranks and alphas by module.

        Raises:
            InputError: a rank is above that of a matrix that has it.
        """
        config = super().peft_config(model, seed=seed, total_steps=total_steps)
        for name in sorted(self.targets(model)):
            module: Any = model.get_submodule(name)
            rank, highest = self.config.rank_of(_short(name)), min(module.weight.shape)
            if rank > highest:
                raise InputError(f"method {self.name!r}: {name} has rank {highest}, below {rank}")
        config.rank_pattern = dict(self.config.ranks)
        config.alpha_pattern = {n: self.scale * rank for n, rank in self.config.ranks.items()}
        return config

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Every layer has its module's rank, and all have the same scale."""
        wrong = [
            name
            for name, layer in adapted_layers(policy.model).items()
            if layer.lora_A[ADAPTER].weight.shape[0] != self.config.rank_of(_short(name))
        ]
        right_scale, detail = self.scaled_by(policy)
        return right_scale and not wrong, f"other ranks: {', '.join(wrong) or 'none'}; {detail}"


def _short(name: str) -> str:
    return name.rpartition(".")[2]
