"""The machine's own peak: a matrix product of a small model's size, and how fast it is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import torch
from workload import arguments

_SHAPE = (1024, 576, 1536)
_SECONDS = 2.0
_TYPES = (torch.bfloat16, torch.float32)


WAITING = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME")
"""What tells threads how to wait; where nothing else is at work they had better spin."""


def peak(threads: int) -> dict[str, float]:
    """Return the machine's GFLOP/s by type on so many threads, taken in a process of its own."""
    command = [sys.executable, __file__, json.dumps({"threads": threads})]
    environment = {k: v for k, v in os.environ.items() if k not in WAITING}
    environment["OMP_NUM_THREADS"] = str(threads)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Print the GFLOP/s of bf16 and fp32 products on so many threads."""
    torch.set_num_threads(arguments()["threads"])
    print(json.dumps({str(d).removeprefix("torch."): _rate(d) for d in _TYPES}))


@torch.inference_mode()
def _rate(dtype: torch.dtype) -> float:
    rows, inner, columns = _SHAPE
    a, b = torch.randn(rows, inner, dtype=dtype), torch.randn(inner, columns, dtype=dtype)
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    return 2 * rows * inner * columns / best / 1e9


if __name__ == "__main__":
    main()
