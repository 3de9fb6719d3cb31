"""The GPUs that hours can be told for."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from verirank.config import InputError, nearest


@dataclass(frozen=True, slots=True)
class GPU:
    """A GPU's dense bf16 peak in FLOP/s and its memory in bytes."""

    name: str
    flops: float
    memory_bytes: float


UTILISATION = 0.3
"""Share of a GPU's bf16 peak that is reached.

One guess for sampling and training: decoding, which is bound by memory, reaches less than that, and
a backward pass may reach more.
"""


@cache
def gpus() -> dict[str, GPU]:
    """Return the known GPUs by name (planning/gpus.toml)."""
    table = tomllib.loads((files("verirank.planning") / "gpus.toml").read_text("utf-8"))
    return {
        name: GPU(name, 1e12 * row["tflops"], 1e9 * row["memory_gb"]) for name, row in table.items()
    }


def gpu(name: str) -> GPU:
    """Return a GPU.

    Raises:
        InputError: it is not known.
    """
    if name not in gpus():
        raise InputError(f"unknown GPU {name!r}{nearest(name, gpus())}")
    return gpus()[name]
