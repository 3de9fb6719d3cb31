"""BOFT: OFT with a factor a row, of one butterfly factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.methods.peft_tuners._orthogonal import keeps_angles
from verirank.methods.peft_tuners._tuner import PeftTuner
from verirank.models import ModelShape


class _Config(ModulesConfig):
    own_scale = frozenset({"block_size"})
    block_size: int = Field(default=4, ge=2)


class BOFT(PeftTuner):
    """W' = diag(s) W R with one butterfly factor of R (arXiv:2311.06243).

    More factors need a CUDA extension, which peft would compile and use on no other device.
    """

    name = "boft"
    family = "orthogonal"
    reference = "arXiv:2311.06243"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config

    def count(self, shape: ModelShape) -> int:
        """Return the sum of in x b + out, b the size of a block."""
        return sum(i * self.config.block_size + o for i, o in shape.adapted(self.config.modules))

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of in x in: peft builds the whole rotation."""
        return sum(i * i for i, _ in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a BOFTConfig of one butterfly factor, without dropout."""
        from peft import BOFTConfig

        return BOFTConfig(
            task_type="CAUSAL_LM",
            boft_block_size=self.config.block_size,
            target_modules=self.module_names(model),
        )

    def wrap(self, model: nn.Module, config: Any, seed: int) -> nn.Module:
        """Let peft wrap the model as if it had no CUDA extension: the same on every device."""
        from peft.tuners.boft import layer

        compiled = layer.get_fbd_cuda
        layer.get_fbd_cuda = lambda: None
        try:
            return super().wrap(model, config, seed)
        finally:
            layer.get_fbd_cuda = compiled

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Rows keep their angles, and their lengths up to the trained factor."""
        return keeps_angles(policy, lambda layer: layer.boft_s[ADAPTER].detach())
