"""The GPUs that hours can be told for."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from verirank.config import InputError, nearest


@dataclass(frozen=True, slots=True)
class GPU:
    """A GPU's dense bf16 peak in FLOP/s, its memory in bytes, and its multiprocessors.

    `bandwidth` is what decoding reaches of its memory's, in bytes a second.
    """

    name: str
    flops: float
    memory_bytes: float
    multiprocessors: int
    bandwidth: float


UTILISATION = 0.2
"""Share of a GPU's bf16 peak by its vendor that training reaches.

Steps at the published shape reached 0.14 to 0.25 of one H200's in micro-batches of 16,384 tokens,
and 0.20 to 0.30 in those of 33,068 (docs/results/gpu).
"""
_REACHED_BANDWIDTH = 0.72
"""Share of a GPU's memory bandwidth by its vendor that decoding reaches: 2.4 TB/s on an H100."""


@cache
def gpus() -> dict[str, GPU]:
    """Return the known GPUs by name (planning/gpus.toml)."""
    table = tomllib.loads((files("verirank.planning") / "gpus.toml").read_text("utf-8"))
    return {
        name: GPU(
            name,
            flops=1e12 * row["tflops"],
            memory_bytes=1e9 * row["memory_gb"],
            multiprocessors=row["multiprocessors"],
            bandwidth=1e12 * row["bandwidth_tb"] * _REACHED_BANDWIDTH,
        )
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
