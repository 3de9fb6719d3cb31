"""RandLoRA: an update of full rank from frozen random factors, each with trained scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class _Config(RankConfig):
    # The rank of each frozen factor: the higher it is, the fewer there are and the less is trained.
    own_scale = frozenset({"rank", "alpha"})
    alpha: float = Field(default=640.0, gt=0)


class RandLoRA(PeftTuner):
    """W' = W + s sum_n B_n diag(l_n) A_n diag(g_n), l from zero (arXiv:2502.00987).

    All linears share the frozen A and B. As many n of rank r are added as give full rank. An
    exported adapter has A and B once; peft, which expects them in every layer, warns and loads it.
    """

    name = "randlora"
    family = "vector"
    reference = "arXiv:2502.00987"
    default_rates = DefaultRates(micro=1e-2, other=1e-3, how_found="a guess: ten times lora's")
    Config = _Config
    frozen = ("base_model.randlora_A", "base_model.randlora_B")

    def count(self, shape: ModelShape) -> int:
        """Return the sum of n (r + least), least of in and out, and n its r-th part rounded up."""
        r = self.config.rank
        least = [min(i, o) for i, o in shape.adapted(self.config.modules)]
        return sum(-(-side // r) * (r + side) for side in least)

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of n r (in + out) over the adapted linears."""
        r, linears = self.config.rank, shape.adapted(self.config.modules)
        return sum(-(-min(i, o) // r) * r * (i + o) for i, o in linears)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a RandLoraConfig whose frozen factors follow from the seed, without dropout."""
        from peft import RandLoraConfig

        return RandLoraConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            randlora_alpha=self.config.alpha,
            projection_prng_key=seed,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """All layers share frozen factors, which a step does not move; the rank is above r."""
        layers = adapted_layers(policy.model).values()
        shared = {(id(la.randlora_A[ADAPTER]), id(la.randlora_B[ADAPTER])) for la in layers}
        before = {n: t.clone() for n, t in self.extra_state(policy).items()}
        step()
        moved = sum(not torch.equal(t, before[n]) for n, t in self.extra_state(policy).items())
        _, weight, published = next(updates(policy))
        rank, least = int(torch.linalg.matrix_rank(published - weight)), min(weight.shape)
        passed = len(shared) == 1 and moved == 0 and rank > min(self.config.rank, least - 1)
        return passed, f"{len(shared)} pair shared by all, {moved} moved, update of rank {rank}"
