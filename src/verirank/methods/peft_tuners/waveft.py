"""WaveFT: an update with few wavelet coefficients, which are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class _Config(ModulesConfig):
    own_scale = frozenset({"scale"})
    coefficients: int = Field(default=2592, ge=1)
    scale: float = Field(default=25.0, gt=0)


class WaveFT(PeftTuner):
    """W' = W + s IDWT(C), Haar's transform, C zero but for n entries (arXiv:2505.12532).

    All linears of one size have the same n positions, drawn from the seed; they start at zero.
    """

    name = "waveft"
    family = "sparse"
    reference = "arXiv:2505.12532"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config

    def count(self, shape: ModelShape) -> int:
        """Return n a linear."""
        return sum(self.config.coefficients for _ in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a WaveFTConfig that starts at zero."""
        from peft import WaveFTConfig

        return WaveFTConfig(
            task_type="CAUSAL_LM",
            n_frequency=self.config.coefficients,
            scaling=self.config.scale,
            random_loc_seed=seed,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Haar's transform is orthonormal: an update is s times as long as its coefficients."""
        error, size = 0.0, 0.0
        for layer, weight, published in updates(policy):
            stated = self.config.scale * float(layer.waveft_spectrum[ADAPTER].detach().norm())
            length = float((published - weight).norm())
            error, size = max(error, abs(length - stated) / stated), max(size, length)
        return size > 0 and error < 1e-3, f"lengths off by {error:.1e} (relative), up to {size:.1e}"
