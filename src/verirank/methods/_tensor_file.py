"""Tensors on disk, as safetensors."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def write_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Write tensors as safetensors.

    Raises:
        OSError: the file cannot be written, for instance because the disk is full.
    """
    try:
        save_file({name: t.detach().contiguous().cpu() for name, t in tensors.items()}, file)
    except SafetensorError as error:
        # The library hides the system's error number in its message.
        if number := re.search(r"os error (\d+)", str(error)):
            code = int(number.group(1))
            raise OSError(code, os.strerror(code), str(file)) from error
        raise
