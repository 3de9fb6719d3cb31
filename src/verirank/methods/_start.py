"""A policy that trains on from an adapter of peft, such as one of supervised fine-tuning."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from verirank.config import InputError
from verirank.methods._adapter import ADAPTER
from verirank.methods._method import Method

_FREE = {
    *("base_model_name_or_path", "revision", "inference_mode", "peft_version", "auto_mapping"),
    *("task_type", "target_modules", "feedforward_modules", "fan_in_fan_out", "rank_pattern"),
    *("runtime_config", "lora_dropout", "projection_prng_key", "save_projection"),
    *("total_step", "tinit", "tfinal", "deltaT", "target_r"),
}
"""Settings in which an adapter may differ from the policy that goes on from it."""
_NAMED_HERE = {"lora_alpha": "alpha", "r": "rank", "init_r": "rank"}
_NAMED = 3


def expect_start(method: Method) -> None:
    """Refuse a method that no adapter of peft can be the start of.

    Raises:
        InputError: it trains no adapter, or takes its own start out of the base.
    """
    if not hasattr(method, "peft_config"):
        raise InputError(
            f"method {method.name!r} trains no adapter, so none can be its start; "
            "model.adapter merges one into the base"
        )
    if method.family == "svd-initialised":
        raise InputError(
            f"method {method.name!r} takes its start out of the base, so it cannot go on from "
            "another one; use method lora, or model.adapter, which merges it into the base"
        )


@torch.no_grad()
def load_start(method: Any, model: Any, folder: Path) -> None:
    """Put an adapter's tensors in the place of those that a method has just drawn.

    Args:
        method: a method of peft, attached to `model`.
        model: peft's wrapper; its tensors are written.
        folder: of the adapter, which fits the base.

    Raises:
        InputError: the adapter is of another kind, has other settings, or adapts other layers.
    """
    from peft import PeftConfig, set_peft_model_state_dict
    from safetensors.torch import load_file

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored: Any = PeftConfig.from_pretrained(str(folder))
    wanted = model.peft_config[ADAPTER]
    if type(stored) is not type(wanted):
        raise InputError(
            f"method.start {str(folder)!r} is of peft's type {_kind(stored)}, but method "
            f"{method.name!r} trains {_kind(wanted)}"
        )
    _expect_same_settings(method, folder, asdict(stored), asdict(wanted))
    tensors = load_file(folder / "adapter_model.safetensors")
    before = {name: tensor._version for name, tensor in _trained(model).items()}
    loaded = set_peft_model_state_dict(model, tensors, adapter_name=ADAPTER)
    after = _trained(model)
    untouched = [name for name, tensor in after.items() if tensor._version == before[name]]
    if loaded.unexpected_keys or untouched:
        there = sorted(loaded.unexpected_keys) or sorted(untouched)
        what = "adapts layers that the method does not" if loaded.unexpected_keys else "lacks"
        modules = sorted({key.split(".lora_")[0].rpartition(".")[2] for key in tensors})
        raise InputError(
            f"method.start {str(folder)!r} {what}: {', '.join(there[:_NAMED])}; the layers of the "
            f"adapter are {', '.join(modules)}: set method.modules to them"
        )


def _trained(model: Any) -> dict[str, torch.Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _kind(config: Any) -> str:
    return type(config).__name__.removesuffix("Config")


def _expect_same_settings(
    method: Method, folder: Path, stored: dict[str, Any], wanted: dict[str, Any]
) -> None:
    if stored.get("use_rslora") and not wanted.get("use_rslora"):
        raise InputError(f"method.start {str(folder)!r} is an rsLoRA; use method rslora")
    # What makes another method of it comes first.
    for key, value in sorted(wanted.items(), key=lambda item: not item[0].startswith("use_")):
        if key in _FREE or ("init" in key and key != "init_r") or "dropout" in key:
            continue
        if key in stored and _plain(stored[key]) != _plain(value):
            named = _NAMED_HERE.get(key, key)
            raise InputError(
                f"method.start {str(folder)!r} has {named} {stored[key]}, not {value}"
                + (f"; set method.{named}" if named in type(method.config).model_fields else "")
            )


def _plain(value: Any) -> Any:
    if isinstance(value, (set, list, tuple)):
        return sorted(map(str, value)) or None
    return value or None
