"""OSF: the smallest singular components are trained, away from the directions of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import LowRankTuner
from verirank.models import ModelShape


class OSF(LowRankTuner):
    """Trains U, S and V of W's r smallest components (arXiv:2504.07097).

    Gradients of U and V are projected away from the larger components. The decomposition is stored
    with the policy.
    """

    name = "osf"
    family = "svd-initialised"
    reference = "arXiv:2504.07097"
    default_rates = DefaultRates(micro=1e-4, other=1e-5, how_found="a guess: pissa's")
    Config = RankConfig
    frozen = ("_osf_",)

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out + 1), with r at most the rank of a weight."""
        return sum(min(self.config.rank, i, o) * (i + o + 1) for i, o in self._linears(shape))

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of 2 r (in + out): the trained components and those they started from."""
        return sum(2 * min(self.config.rank, i, o) * (i + o) for i, o in self._linears(shape))

    def _linears(self, shape: ModelShape) -> list[tuple[int, int]]:
        return list(shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return an OSFConfig with the number of frozen components of every module."""
        from peft import OSFConfig

        frozen = {}
        for name in sorted(self.targets(model)):
            most = min(model.get_submodule(name).weight.shape)  # pyright: ignore
            if self.config.rank >= most:
                raise self.refuse(
                    f"rank {self.config.rank} is not below {most}, the rank of {name}"
                )
            frozen[name.rpartition(".")[2]] = most - self.config.rank
        return OSFConfig(
            task_type="CAUSAL_LM",
            rank_pattern=frozen,
            target_modules=self.module_names(model),
        )

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return W + U S V - U0 S0 V0; a copy of the layer would take its hooks along."""
        return {"weight": base["weight"] + layer.get_delta_weight(ADAPTER)}

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return the trained components and, taken out, those they started from: rank 2r."""
        trained = layer.osf_svd_params[ADAPTER]
        start = layer._osf_U_low_init[ADAPTER] * layer._osf_S_low_init[ADAPTER]
        return (
            torch.cat([trained["V_low"], layer._osf_V_low_init[ADAPTER]]),
            torch.cat([trained["U_low"] * trained["S_low"], -start], dim=1),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """After a step, the gradients of U and V have nothing along the larger components."""
        step()
        along, size = 0.0, 0.0
        for name, layer in adapted_layers(policy.model).items():
            weight: Any = policy.original.get_submodule(name).weight
            left, _, right = torch.linalg.svd(
                weight.detach().to(torch.float32), full_matrices=False
            )
            kept = len(right) - self.config.rank
            trained = layer.osf_svd_params[ADAPTER]
            u, v = trained["U_low"].grad, trained["V_low"].grad
            size = max(size, float(u.norm()))
            along = max(along, float((left[:, :kept].T @ u).norm() / u.norm()))
            along = max(along, float((v @ right[:kept].T).norm() / v.norm()))
        return size > 0 and along < 1e-3, f"{along:.1e} of the gradients along frozen components"
