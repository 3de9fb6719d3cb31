"""CorDA: LoRA that starts from the components of a weight that matter to a task's inputs."""

from __future__ import annotations

from collections import deque
from typing import Any, Literal

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._start_data import StartData, expect_tokens
from verirank.methods._svd_initialised import weights_to_decompose
from verirank.methods.lora_variants._from_data import (
    ResidualFromData,
    StartConfig,
    first_layer,
    inputs_of,
)
from verirank.models import ModelShape


class _Config(StartConfig):
    """`components` says which of the components are trained: the main ones, or the minor ones.

    peft calls these the instruction-previewed mode (`ipm`) and the knowledge-preserved (`kpm`).
    """

    components: Literal["main", "minor"] = "main"


class CorDA(ResidualFromData):
    """s B0 A0 = U_r S_r V_r^T C^-1 of W C = U S V^T, C the inputs' covariance (arXiv:2406.05223).

    peft collects C and decomposes W C, on a copy of the base.
    """

    name = "corda"
    reference = "arXiv:2406.05223"
    Config = _Config
    start_pass = "forward"
    default_rates = DefaultRates(micro=1e-4, other=1e-5, how_found="a guess: pissa's")

    def start_numbers(self, shape: ModelShape) -> int:
        """Return the sum of in^2 + min(in, out) (in + out): covariances, and all singular vectors.

        peft holds both of all linears before it cuts them down to the rank.
        """
        linears = shape.adapted(self.config.modules)
        return sum(i * i + min(i, o) * (i + o) for i, o in linears)

    def start_from(self, model: nn.Module, data: StartData) -> dict[str, Tensor]:
        """Return A0 = (S / s)^1/2 V^T C^-1 and B0 = U (S / s)^1/2 of every adapted linear."""
        from peft import LoraConfig
        from peft.tuners.lora.config import CordaConfig
        from peft.tuners.lora.corda import preprocess_corda

        weights_to_decompose(self, model)
        mode = "ipm" if self.config.components == "main" else "kpm"
        config = LoraConfig(
            r=self.config.rank,
            target_modules=self.module_names(model),
            init_lora_weights="corda",
            corda_config=CordaConfig(corda_method=mode),
        )
        modules: dict[str, Any] = {n: model.get_submodule(n) for n in sorted(self.targets(model))}

        def run_model() -> None:
            deque(data.losses(model), maxlen=0)
            expect_tokens(name for name, module in modules.items() if not module.sample_count)

        preprocess_corda(model, config, run_model)  # pyright: ignore[reportArgumentType]
        state = {}
        for name, module in modules.items():
            found = module.eigens
            root = (found.S_WC / self.scale).sqrt()
            state[f"{name}.lora_A"] = root.unsqueeze(1) * found.V_WC.T
            state[f"{name}.lora_B"] = found.U_WC * root
        return state

    def start_off(self, policy: Policy) -> float:
        """Return by how much weighing the components by the inputs is worse than not doing so.

        That is 0 where it is better: the main components leave less of W C than those of W alone,
        the minor ones take less.
        """
        name, weight = first_layer(policy)
        covariance = torch.zeros(weight.shape[1], weight.shape[1], device=weight.device)
        for rows in inputs_of(policy, name):
            scaled = rows / rows.max().abs()
            covariance += scaled.T @ scaled
        a, b = (policy.initial[f"{name}.{part}"] for part in ("lora_A", "lora_B"))
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        rank, main = self.config.rank, self.config.components == "main"
        part = slice(0, rank) if main else slice(len(values) - rank, len(values))
        plain, own = (left[:, part] * values[part]) @ right[part], self.scale * b @ a
        found, other = (
            ((weight - update if main else update) @ covariance).norm() for update in (own, plain)
        )
        return max(0.0, float(found / other) - 1)
