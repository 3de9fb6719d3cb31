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

    Of several processes on a machine, each has the CUDA device of its own number. A process with
    one is told to compute there in the same order every time, where torch has a way to.

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
    _compute_in_the_same_order()
    return device


def _compute_in_the_same_order() -> None:
    """Let CUDA add in the same order every time, where it has a way to, as a CPU does anyway."""
    # Read when cuBLAS is first used; another workspace may lead to another order.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Only to warn, because torch refuses the sampler's running sums, whose rows are each one thread
    # block's.
    torch.use_deterministic_algorithms(True, warn_only=True)
    warnings.filterwarnings("ignore", message="cumsum.* does not have a deterministic")
    # Nothing here reads what it has not written. (The module's stub lacks its own property.)
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


@contextmanager
def strictly_in_order(device: torch.device) -> Iterator[None]:
    """Let CUDA refuse, within, whatever has no order of adding that is the same every time.

    Where it would only warn, the fused backward pass of attention does not keep to one. A forward
    pass that is computed again in the backward one belongs inside, too: it takes other kernels.
    """
    if device.type != "cuda":
        yield
        return
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=only_warned)
