"""The device that a process computes on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from verirank.config import InputError


def device_of(name: str) -> torch.device:
    """Return a device by its name in the settings; `auto` is CUDA, else MPS, else the CPU.

    Of several processes on a machine, each has the CUDA device of its local rank. On CUDA, torch is
    told to use deterministic algorithms where it has them.

    Raises:
        InputError: this machine, or its build of torch, has no such device.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, is_there in there.items() if is_there), "cpu")
    if not there.get(name, True):
        raise InputError(
            f"there is no {name} device here, or torch {torch.__version__} was built without it; "
            "use machine.device = cpu or auto"
        )
    if name != "cuda":
        return torch.device(name)
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise InputError(
            f"process {number} of this machine has no CUDA device of its own, there are "
            f"{torch.cuda.device_count()}; start as many processes as devices"
        )
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    _prefer_deterministic()
    return device


def _prefer_deterministic() -> None:
    """Use deterministic CUDA algorithms where torch has them, and only warn where it has none."""
    # Read when cuBLAS is first used; its workspace decides the order of its sums.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Only warn: torch refuses the sampler's cumulative sums, though each row is one thread block.
    torch.use_deterministic_algorithms(True, warn_only=True)
    warnings.filterwarnings("ignore", message="cumsum.* does not have a deterministic")
    # No code here reads uninitialised memory. (The module's stub lacks its own property.)
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Run under `torch.use_deterministic_algorithms(True)`, which refuses what it cannot keep.

    With warnings only, fused attention's backward pass is not deterministic. A forward pass that
    the backward pass recomputes belongs inside as well, because it takes other kernels.
    """
    if device.type != "cuda":
        yield
        return
    warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=warns_only)
