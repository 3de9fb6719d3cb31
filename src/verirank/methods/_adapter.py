"""An adapter in peft's own format, which loads over the untouched base."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from verirank.methods._tensor_file import write_tensors

if TYPE_CHECKING:
    from peft import PeftConfig

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


def adapted_layers(model: nn.Module) -> dict[str, Any]:
    """Return peft's layers by the name that the module has in the plain model."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {
        name.removeprefix(PREFIX): module
        for name, module in model.named_modules()
        if isinstance(module, BaseTunerLayer)
    }


def adapted_parameter(name: str, layer: Any) -> str | None:
    """Return which parameter of the plain model one of peft's layers adapts by itself.

    Args:
        name: of the layer, from `adapted_layers`; peft nests those of one module.
        layer: the layer.

    Returns:
        Its whole name, or None of a layer that adapts a module.
    """
    from peft.tuners.lora.layer import ParamWrapper

    if not isinstance(layer, ParamWrapper):
        return None
    return f"{name.replace('.base_layer', '')}.{layer.parameter_name}"


def wrapped_without_weights(like: Any, settings: Any) -> nn.Module:
    """Return peft's wrapper of a model of the same kind and sizes, on torch's meta device.

    Args:
        like: a plain model of transformers.
        settings: peft's, of a LoRA.

    Raises:
        ValueError: peft finds no such layers in the model.
    """
    from peft import get_peft_model

    settings = copy.deepcopy(settings)
    settings.init_lora_weights = False
    settings.base_model_name_or_path = None  # of which peft warns where it is another
    with torch.device("meta"):
        model = type(like)(like.config)
        return get_peft_model(model, settings)  # pyright: ignore[reportReturnType]
