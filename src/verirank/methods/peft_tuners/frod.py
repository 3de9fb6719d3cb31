"""FRoD: the diagonal and a few other entries of a factorisation that layers of a type share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class _Config(ModulesConfig):
    density: float = Field(default=0.01, ge=0, le=1)


class FRoD(PeftTuner):
    """W' = U (L + S) V^T, U L V^T = W, V shared by all layers (doi:10.1609/aaai.v40i31.39813).

    Trains the diagonal L and the entries of S at `density` of its positions, drawn from the seed.
    The decomposition is stored with the policy.
    """

    name = "frod"
    family = "sparse"
    reference = "doi:10.1609/aaai.v40i31.39813"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config
    sparse = True
    frozen = ("frod_U", "frod_V", "frod_s_indices")

    def count(self, shape: ModelShape) -> int:
        """Return the sum of in, for L, and in x in times the density, for S, rounded down."""
        return sum(i + self._entries(i) for i, _ in shape.adapted(self.config.modules))

    def _entries(self, inputs: int) -> int:
        if not self.config.density:
            return 0
        return max(1, min(int(inputs * inputs * self.config.density), inputs * (inputs - 1)))

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of in (in + out): the factors are multiplied in the weight's place."""
        return sum(i * (i + o) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a FrodConfig whose positions follow from the seed, without dropout."""
        from peft import FrodConfig

        return FrodConfig(
            task_type="CAUSAL_LM",
            sparse_rate=self.config.density,
            projection_prng_key=seed,
            progressbar=False,
            target_modules=self.module_names(model),
        )

    def wrap(self, model: nn.Module, config: Any, seed: int) -> nn.Module:
        """Let peft wrap the model; of a bf16 weight, whose factors peft rounds, take fp32 ones."""
        adapted = super().wrap(model, config, seed)
        for layer in adapted_layers(adapted).values():
            weight = layer.base_layer.weight
            if weight.dtype != torch.float32:
                u, values = layer._calculate_frod_u_and_lambda(layer.frod_V[ADAPTER], weight)
                layer.frod_U[ADAPTER] = u.to(weight.device)
                layer.frod_lambda_l[ADAPTER].data = values.to(weight.device)
        return adapted

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The published weight is the product of the factors, and these stay through a step."""
        before = {n: t.clone() for n, t in self.extra_state(policy).items()}
        step()
        moved = sum(not torch.equal(t, before[n]) for n, t in self.extra_state(policy).items())
        error, size = 0.0, 0.0
        for layer, weight, published in updates(policy):
            inner = torch.diag(layer.frod_lambda_l[ADAPTER].detach())
            rows, columns = layer.frod_s_indices[ADAPTER]
            inner[rows, columns] += layer.frod_lambda_s_values[ADAPTER].detach()
            product = layer.frod_U[ADAPTER] @ inner @ layer.frod_V[ADAPTER].T
            error = max(error, float((published - product).abs().max()))
            size = max(size, float((published - weight).abs().max()))
        return (
            moved == 0 and size > 0 and error < 1e-5,
            f"off by {error:.1e}, {moved} factors moved",
        )
