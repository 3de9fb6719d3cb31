"""An adapter in peft's own format, which loads over the untouched base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

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
