"""Checkpoints: everything that a trainer needs to go on to the same bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from verirank.methods import write_tensors
from verirank.processes import gathered, is_first, on_first, sharded_like
from verirank.record import Run, whole_folder, write_json, write_sums
from verirank.training._trainer import Trainer

_COUNTS = ("step", "updates", "problems_drawn")


def save_checkpoint(trainer: Trainer, run: Run, keep: int) -> None:
    """Write checkpoints/step-N whole or not at all, then drop all but the newest `keep`.

    One that is there already is left: it was written, or loaded, at this very step.
    """
    folder = run.checkpoint_folder / f"step-{trainer.step}"
    if on_first(folder.is_dir):
        return
    policy = gathered(trainer.policy.state())
    tensors, groups = _optimizer_state(trainer.optimizer)
    optimizer = gathered(tensors)
    if not is_first():
        return
    with whole_folder(folder) as target:
        write_tensors(policy, target / "policy.safetensors")
        write_tensors(optimizer, target / "optimizer.safetensors")
        counts = {name: getattr(trainer, name) for name in _COUNTS}
        write_json(target / "state.json", {**counts, "param_groups": groups})
        write_sums(target)
    for old in run.checkpoints()[:-keep]:
        shutil.rmtree(old)


def load_checkpoint(trainer: Trainer, checkpoint: Path) -> None:
    """Put a trainer where it stood when the checkpoint was written, and publish its weights."""
    state = json.loads((checkpoint / "state.json").read_text("utf-8"))
    trainer.policy.load_state(load_file(checkpoint / "policy.safetensors"))
    tensors = load_file(checkpoint / "optimizer.safetensors")
    _restore_optimizer(trainer.optimizer, tensors, state["param_groups"])
    for name in _COUNTS:
        setattr(trainer, name, state[name])
    trainer.sampler.publish(trainer.policy.effective_weights())


def _optimizer_state(
    optimizer: torch.optim.Optimizer,
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    state = optimizer.state_dict()
    tensors = {
        f"{index}.{name}": tensor
        for index, values in state["state"].items()
        for name, tensor in values.items()
    }
    return tensors, state["param_groups"]


def _restore_optimizer(
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, torch.Tensor],
    groups: list[dict[str, Any]],
) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = sharded_like(tensor, parameters[int(index)])
    optimizer.load_state_dict({"state": state, "param_groups": groups})
