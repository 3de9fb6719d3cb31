"""OFT: the inputs of every linear are rotated, a block at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field
from torch import nn

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._settings import ModulesConfig
from verirank.methods.peft_tuners._orthogonal import keeps_angles
from verirank.methods.peft_tuners._tuner import PeftTuner
from verirank.models import ModelShape


class _Config(ModulesConfig):
    own_scale = frozenset({"block_size"})
    block_size: int = Field(default=32, ge=2)


class OFT(PeftTuner):
    """W' = W R, R of orthogonal blocks by Cayley's transform (arXiv:2306.07280).

    Where the block size does not divide the inputs, peft takes the nearest size that does.
    """

    name = "oft"
    family = "orthogonal"
    reference = "arXiv:2306.07280"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = _Config
    expected_warnings = ("Invalid .oft_block_size.",)

    def count(self, shape: ModelShape) -> int:
        """Return the sum of in (b - 1) / 2, b the size of a block."""
        linears = shape.adapted(self.config.modules)
        return sum(i * (_nearest_divisor(i, self.config.block_size) - 1) // 2 for i, _ in linears)

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of in x b."""
        linears = shape.adapted(self.config.modules)
        return sum(i * _nearest_divisor(i, self.config.block_size) for i, _ in linears)

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return an OFTConfig with the exact transform instead of its series."""
        from peft import OFTConfig

        return OFTConfig(
            task_type="CAUSAL_LM",
            oft_block_size=self.config.block_size,
            use_cayley_neumann=False,
            target_modules=self.module_names(model),
        )

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Rows keep their lengths and angles."""
        return keeps_angles(policy)


def _nearest_divisor(number: int, wanted: int) -> int:
    """Return the divisor of a number that is nearest to the wanted one, the lower of two."""
    if wanted >= number:
        return number
    divisors = [n for n in range(1, number + 1) if number % n == 0]
    return min(divisors, key=lambda n: (abs(n - wanted), n))
