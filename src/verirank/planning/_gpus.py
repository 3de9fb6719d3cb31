"""The GPUs that hours can be told for."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from verirank.config import InputError, nearest


@dataclass(frozen=True, slots=True)
class GPU:
    """A GPU's dense bf16 peak in FLOP/s, its memory in bytes, and its multiprocessors."""

    name: str
    flops: float
    memory_bytes: float
    multiprocessors: int


UTILISATION = 0.2
"""Share of a GPU's bf16 peak by its vendor that is reached.

Training steps at the published shape reached 0.14 to 0.25 of one H200's in micro-batches of 16,384
tokens, and 0.20 to 0.30 of 33,068 (docs/results/gpu). What vLLM reaches in sampling is not
measured, and a guess; the transformers sampler reached 0.005 to 0.04.
"""


@cache
def gpus() -> dict[str, GPU]:
    """Return the known GPUs by name (planning/gpus.toml)."""
    table = tomllib.loads((files("verirank.planning") / "gpus.toml").read_text("utf-8"))
    return {
        name: GPU(name, 1e12 * row["tflops"], 1e9 * row["memory_gb"], row["multiprocessors"])
        for name, row in table.items()
    }


def gpu(name: str) -> GPU:
    """Return a GPU.

    Raises:
        InputError: it is not known.
    """
    if name not in gpus():
        raise InputError(f"unknown GPU {name!r}{nearest(name, gpus())}")
    return gpus()[name]
