"""The dtype in which a machine computes fastest without losing anything: bf16 or fp32."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Literal

Dtype = Literal["float32", "bfloat16"]

_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""What /proc/cpuinfo calls bf16 instructions on x86 and ARM."""
_AMPERE = 8.0
"""The first compute capability with bf16."""


@cache
def native_dtype(device: str) -> Dtype:
    """Return `bfloat16` where a device has instructions for it, else `float32`.

    Where it has none, bf16 is converted back and forth, and slower than fp32. Read without torch:
    of a CPU from /proc/cpuinfo, of CUDA devices from `nvidia-smi`.

    Args:
        device: auto, cpu, cuda or mps; auto is CUDA where `nvidia-smi` lists a device.
    """
    capabilities = _capabilities() if device in ("auto", "cuda") else []
    if capabilities:
        return "bfloat16" if min(capabilities) >= _AMPERE else "float32"
    return "bfloat16" if device in ("auto", "cpu") and _BF16_FLAGS & _cpu_flags() else "float32"


def _capabilities() -> list[float]:
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return [float(line) for line in done.stdout.split()] if done.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return []


def _cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8", "replace").splitlines() if info.is_file() else []
    flags = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return {flag for line in flags for flag in line.split()}
