"""FourierFT: an update with few frequencies, which are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class _Config(ModulesConfig):
    own_scale = frozenset({"scale"})
    frequencies: int = Field(default=1000, ge=1)
    scale: float = Field(default=150.0, gt=0)


class FourierFT(PeftTuner):
    """W' = W + s Re(ifft2(F)), F zero but for n trained entries (arXiv:2405.03003).

    All linears of one size have the same n positions, drawn from the seed; they start at zero,
    where the paper draws them.
    """

    name = "fourierft"
    family = "vector"
    reference = "arXiv:2405.03003"
    default_rates = DefaultRates(micro=1e-2, other=1e-3, how_found="a guess: ten times lora's")
    Config = _Config

    def count(self, shape: ModelShape) -> int:
        """Return n a linear."""
        return sum(self.config.frequencies for _ in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a FourierFTConfig that starts at zero."""
        from peft import FourierFTConfig

        return FourierFTConfig(
            task_type="CAUSAL_LM",
            n_frequency=self.config.frequencies,
            scaling=self.config.scale,
            random_loc_seed=seed,
            init_weights=True,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The update has at most n frequencies and their mirror images."""
        most, size = 0, 0.0
        for _, weight, published in updates(policy):
            spectrum = torch.fft.fft2((published - weight).double()).abs()
            size = max(size, float(spectrum.max()))
            most = max(most, int((spectrum > 1e-3 * spectrum.max()).sum()))
        allowed = 2 * self.config.frequencies
        return 0 < most <= allowed and size > 0, f"at most {most} frequencies of {allowed}"
