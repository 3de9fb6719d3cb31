"""MiSS: one small matrix shared by all shards of a weight's inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates, InputError
from verirank.methods._low_rank import LowRankMethod
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.models import ModelShape


class MiSS(LowRankMethod):
    """Trains D (r x out), from zero, added to every block of r inputs (arXiv:2409.15371)."""

    name = "miss"
    family = "structural"
    reference = "arXiv:2409.15371"
    default_rates = DefaultRates(micro=1.1e-4, other=1e-4, how_found="a guess: lora's")
    Config = RankConfig

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r x out over the adapted linears."""
        return sum(self.config.rank * o for _, o in shape.adapted(self.config.modules))

    def multiplications(self, shape: ModelShape) -> int:
        """Return the same, for inputs are summed to r before they are multiplied."""
        return self.count(shape)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a MissConfig without dropout."""
        from peft import MissConfig

        return MissConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            target_modules=self.module_names(model),
        )

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Attach MiSS to every linear that has at least r inputs."""
        modules = [model.get_submodule(name) for name in sorted(self.targets(model))]
        inputs = min(m.weight.shape[1] for m in modules)  # pyright: ignore
        if self.config.rank > inputs:
            raise InputError(f"method 'miss': rank {self.config.rank} exceeds {inputs} inputs")
        return super().attach(model, seed=seed, total_steps=total_steps, initial=initial)

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return W with D added to every block of inputs, the last one cut to size."""
        # peft writes into the weight it is handed wherever r does not divide the inputs.
        return {"weight": layer.get_delta_weight_miss(ADAPTER, base["weight"].clone())}

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return the sum over blocks of r inputs, as a matrix of zeros and ones, and D^T."""
        block = layer.miss_block[ADAPTER]
        positions = torch.arange(layer.in_features, device=block.device) % block.shape[0]
        sums = nn.functional.one_hot(positions, block.shape[0]).T.to(block.dtype)
        return sums, block.T

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update of every input equals that of the input r positions before."""
        rank, error, size = self.config.rank, 0.0, 0.0
        published = policy.unfolded_weights()
        for name in adapted_layers(policy.model):
            weight = policy.original.get_submodule(name).weight
            update = published[f"{name}.weight"] - weight.detach()  # pyright: ignore
            size = max(size, float(update.abs().max()))
            if update.shape[1] > rank:
                gap = (update[:, rank:] - update[:, :-rank]).abs().max()
                error = max(error, float(gap))
        tolerance = 1e-5 * max(1.0, size)
        return size > 0 and error < tolerance, f"shards differ by {error:.1e}, update {size:.1e}"
