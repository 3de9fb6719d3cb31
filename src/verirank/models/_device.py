"""The device that a process computes on."""

from __future__ import annotations

import os

import torch

from verirank.config import InputError


def device_of(name: str) -> torch.device:
    """Return a device by its name in the settings; `auto` is CUDA, else MPS, else the CPU.

    Of several processes on a machine, each has the CUDA device of its own number.

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
    return device
