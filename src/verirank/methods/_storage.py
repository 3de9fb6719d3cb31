"""A policy on disk: settings as JSON, tensors as safetensors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from verirank.config import InputError
from verirank.methods._policy import Policy
from verirank.methods._registry import method_config
from verirank.models import BaseModel


def save_policy(policy: Policy, folder: Path, state: Mapping[str, Tensor] | None = None) -> None:
    """Write `policy.json`, `state.safetensors` and, where there is one, `initial.safetensors`.

    Args:
        policy: the policy to write.
        folder: is made if missing; whoever needs an atomic write renames it afterwards.
        state: the policy's state, where it has been gathered from several processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    description = {
        "method": policy.config.model_dump(mode="json"),
        "seed": policy.seed,
        "total_steps": policy.total_steps,
    }
    (folder / "policy.json").write_text(json.dumps(description, indent=2) + "\n")
    write_tensors(policy.state() if state is None else state, folder / "state.safetensors")
    if initial := policy.initial_state():
        write_tensors(initial, folder / "initial.safetensors")


def load_policy(base: BaseModel, folder: Path) -> Policy:
    """Read back what `save_policy` wrote, over the same base.

    Raises:
        InputError: a file is missing.
    """
    try:
        description = json.loads((folder / "policy.json").read_text())
        state = load_file(folder / "state.safetensors")
    except FileNotFoundError as error:
        raise InputError(f"{folder} holds no saved policy: {error.filename} is missing") from error
    initial = folder / "initial.safetensors"
    policy = Policy.create(
        base,
        method_config(description["method"]),
        seed=description["seed"],
        total_steps=description["total_steps"],
        initial=load_file(initial) if initial.is_file() else None,
    )
    if policy.initial and not initial.is_file():
        raise InputError(
            f"{folder} lacks initial.safetensors, the adapter that this policy started from"
        )
    policy.load_state(state)
    return policy


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
