"""VeRA: one frozen random projection for all layers, and two small vectors a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._low_rank import LowRankMethod
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.models import ModelShape


class _Config(RankConfig):
    # The rank of frozen projections, of which only d is trained: 256 where LoRA has 8 to 32.
    own_scale = frozenset({"rank"})
    rank: int = Field(default=256, ge=1)
    d_initial: float = 0.1


class VeRA(LowRankMethod):
    """W = W0 + diag(b) B diag(d) A with shared frozen A, B (arXiv:2310.11454, equation 2)."""

    name = "vera"
    family = "vector"
    reference = "arXiv:2310.11454"
    default_rates = DefaultRates(
        micro=1e-2, other=1e-3, how_found="a guess: ten times lora's, as its paper advises"
    )
    Config = _Config
    bounded = False

    def count(self, shape: ModelShape) -> int:
        """Return the sum of out + r over the adapted linears."""
        return sum(o + self.config.rank for _, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a VeraConfig without dropout whose projections follow from the seed."""
        from peft import VeraConfig

        return VeraConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            target_modules=self.module_names(model),
            d_initial=self.config.d_initial,
            projection_prng_key=seed,
        )

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return W0 + diag(b) B diag(d) A."""
        return {"weight": base["weight"] + layer.get_delta_weight(ADAPTER)}

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return diag(d) A and diag(b) B, of which a layer uses the corner of its own size."""
        down = layer.vera_A[ADAPTER][:, : layer.in_features]
        up = layer.vera_B[ADAPTER][: layer.out_features]
        d, b = layer.vera_lambda_d[ADAPTER], layer.vera_lambda_b[ADAPTER]
        return d.unsqueeze(1) * down, b.unsqueeze(1) * up

    def extra_state(self, policy: Policy) -> dict[str, Tensor]:
        """Return the frozen projections, so that a resume does not rely on drawing them again."""
        return _projections(policy)

    def load_extra_state(self, policy: Policy, state: Mapping[str, Tensor]) -> None:
        """Take back the frozen projections."""
        for name, tensor in _projections(policy).items():
            tensor.copy_(state[name])

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """All layers use one frozen pair of projections, which a step does not move."""
        shared = {
            (id(layer.vera_A[ADAPTER]), id(layer.vera_B[ADAPTER]))
            for layer in adapted_layers(policy.model).values()
        }
        before = {n: t.clone() for n, t in _projections(policy).items()}
        step()
        moved = sum(not torch.equal(t, before[n]) for n, t in _projections(policy).items())
        return len(shared) == 1 and moved == 0, f"{len(shared)} pair shared by all, {moved} moved"


def _projections(policy: Policy) -> dict[str, Tensor]:
    tuner = policy.model.base_model
    return {"vera.A": tuner.vera_A[ADAPTER].data, "vera.B": tuner.vera_B[ADAPTER].data}
