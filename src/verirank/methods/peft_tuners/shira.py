"""SHiRA: a few entries of every weight are trained, at random positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.methods._peft_method import ADAPTER
from verirank.methods._policy import Policy
from verirank.methods._settings import RankConfig
from verirank.methods.peft_tuners._tuner import PeftTuner, updates
from verirank.models import ModelShape


class SHiRA(PeftTuner):
    """W' = W + S, S zero but for as many entries as LoRA trains (arXiv:2406.13175).

    All linears of one size have the same positions, drawn from the seed.
    """

    name = "shira"
    family = "sparse"
    reference = "arXiv:2406.13175"
    default_rates = DefaultRates(micro=1e-3, other=1e-4, how_found="a guess: lora's")
    Config = RankConfig
    sparse = True

    def count(self, shape: ModelShape) -> int:
        """Return LoRA's count: the sum of r (in + out) over the adapted linears."""
        return sum(self.config.rank * (i + o) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return a ShiraConfig whose positions follow from the seed."""
        from peft import ShiraConfig

        return ShiraConfig(
            task_type="CAUSAL_LM",
            r=self.config.rank,
            random_seed=seed,
            target_modules=self.module_names(model),
        )

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return W + S."""
        return {"weight": base["weight"] + layer.get_delta_weight(ADAPTER)}

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Only entries at the drawn positions differ from the base."""
        outside, most, size = 0, 0, 0
        for layer, weight, published in updates(policy):
            rows, columns = layer.shira_indices[ADAPTER].long()
            changed = published != weight
            most = max(most, int(changed.sum()))
            size = max(size, len(rows))
            changed[rows, columns] = False
            outside += int(changed.sum())
        return most > 0 and outside == 0, f"{most} of {size} places changed, {outside} others"
