"""Adapters in peft's own format, which load over the untouched base."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from verirank.methods._storage import write_tensors

if TYPE_CHECKING:
    from peft import PeftConfig

    from verirank.methods._policy import Policy

ADAPTER = "default"
"""The name that peft gives to a model's first adapter."""
PREFIX = "base_model.model."
"""What stands before a module's name in peft's files."""


@dataclass(frozen=True)
class Adapter:
    """peft's settings of an adapter, and its tensors by the names that peft's files use."""

    config: PeftConfig
    tensors: dict[str, Tensor]

    def write(self, folder: Path) -> None:
        """Write `adapter_config.json` and `adapter_model.safetensors` into an existing folder."""
        self.config.save_pretrained(str(folder))
        write_tensors(self.tensors, folder / "adapter_model.safetensors")


def own_adapter(policy: Policy) -> Adapter:
    """Return the adapter that peft holds for a policy, as peft would save it."""
    from peft import get_peft_model_state_dict

    tensors = get_peft_model_state_dict(policy.model, save_embedding_layers=False)
    return Adapter(settings_to_load(policy), tensors)


def settings_to_load(policy: Policy) -> Any:
    """Return a copy of peft's settings of a policy, as they stand beside a finished adapter."""
    config = copy.deepcopy(policy.model.peft_config[ADAPTER])
    config.inference_mode = True
    config.base_model_name_or_path = policy.base.name
    # A set would be written in another order by every process.
    config.target_modules = sorted(config.target_modules)
    return config


def lora_adapter(policy: Policy) -> Adapter:
    """Return a plain LoRA of scale 1 with the policy's weights; the scale is folded into B.

    Raises:
        InputError: the method's update is not of low rank.
    """
    from peft import LoraConfig

    update = policy.method.low_rank_update(policy)
    tensors = {}
    for name, (a, b) in update.items():
        tensors[f"{PREFIX}{name}.lora_A.weight"] = a
        tensors[f"{PREFIX}{name}.lora_B.weight"] = b
    (rank,) = {a.shape[0] for a, _ in update.values()}
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=rank,
        target_modules=sorted({name.rpartition(".")[2] for name in update}),
        base_model_name_or_path=policy.base.name,
        inference_mode=True,
    )
    return Adapter(config, tensors)
