"""C3A: an update of circulant blocks, multiplied by fast Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
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
    own_scale = frozenset({"block_size"})
    block_size: int = Field(default=64, ge=1)


class C3A(PeftTuner):
    """W' = W + circulant blocks of size b, from zero (arXiv:2407.19342).

    A linear's b is the greatest common divisor of its inputs, its outputs and the block size.
    """

    name = "c3a"
    family = "structural"
    reference = "arXiv:2407.19342"
    default_rates = DefaultRates(micro=1e-2, other=1e-3, how_found="a guess: ten times lora's")
    Config = _Config

    def count(self, shape: ModelShape) -> int:
        """Return the sum of in x out / b."""
        linears = shape.adapted(self.config.modules)
        return sum(i * o // gcd(i, o, self.config.block_size) for i, o in linears)

    def multiplications(self, shape: ModelShape) -> int:
        """Return the same, without the transforms, which are no matrix products."""
        return self.count(shape)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a C3AConfig with the block size of every module."""
        from peft import C3AConfig

        sizes = {}
        for name in self.targets(model):
            outputs, inputs = model.get_submodule(name).weight.shape  # pyright: ignore
            sizes[name.rpartition(".")[2]] = gcd(inputs, outputs, self.config.block_size)
        return C3AConfig(
            task_type="CAUSAL_LM",
            block_size=self.config.block_size,
            block_size_pattern=dict(sorted(sizes.items())),
            init_weights=True,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Every block of the update is the block moved on by one along its diagonal."""
        error, size = 0.0, 0.0
        for layer, weight, published in updates(policy):
            b, update = layer.block_size[ADAPTER], published - weight
            blocks = update.unflatten(0, (-1, b)).unflatten(2, (-1, b))
            moved = blocks.roll((1, 1), dims=(1, 3))
            error = max(error, float((blocks - moved).abs().max()))
            size = max(size, float(update.abs().max()))
        return size > 0 and error < 1e-5 * max(1.0, size), f"off by {error:.1e} of {size:.1e}"
