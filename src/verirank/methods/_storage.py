"""A policy on disk: settings as JSON, tensors as safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from verirank.config import InputError
from verirank.methods._method import method_config
from verirank.methods._policy import Policy
from verirank.methods._tensor_file import write_tensors
from verirank.models import BaseModel
from verirank.record import expect_sums, write_sums


def save_policy(policy: Policy, folder: Path, state: Mapping[str, Tensor] | None = None) -> None:
    """Write `policy.json`, `state.safetensors`, `initial.safetensors` if any, and `.SHA256SUMS`.

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
    write_sums(folder)


def load_policy(base: BaseModel, folder: Path) -> Policy:
    """Read back what `save_policy` wrote, over the same base.

    Raises:
        InputError: there is no such folder, or the policy was saved without its initial adapter.
        DamagedError: a file is missing, or is not what was written.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} holds no saved policy: it does not exist")
    expect_sums(folder)
    description = json.loads((folder / "policy.json").read_text())
    state = load_file(folder / "state.safetensors")
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
