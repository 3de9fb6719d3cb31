"""A policy that trains on from an adapter of peft, such as one of supervised fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from verirank.config import InputError
from verirank.methods._adapter import ADAPTER, adapted_layers
from verirank.methods._method import Method
from verirank.methods._stored_factors import factors_in
from verirank.models import Location, StoredAdapter, read_adapter

_FREE = {
    *("base_model_name_or_path", "revision", "inference_mode", "peft_version", "auto_mapping"),
    *("task_type", "target_modules", "feedforward_modules", "fan_in_fan_out", "rank_pattern"),
    *("runtime_config", "lora_dropout", "projection_prng_key", "save_projection"),
    *("total_step", "tinit", "tfinal", "deltaT", "target_r"),
}
"""Settings in which an adapter may differ from the policy that goes on from it."""
_OF_FACTORS = {
    *("lora_alpha", "alpha_pattern", "r", "target_parameters"),
    *("layers_to_transform", "layers_pattern", "exclude_modules"),
}
"""Those that say which layers a LoRA has, of which rank and scale: its factors tell them."""
_NAMED_HERE = {"lora_alpha": "alpha", "r": "rank", "init_r": "rank"}
_NAMED = 3
_LEAVE_THE_BASE = (True, False, "gaussian", "eva", "orthogonal")
"""Initialisations of a LoRA that take nothing out of the base (peft's `init_lora_weights`)."""


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
    if method.family in ("data-initialised", "svd-initialised"):
        source = "the base" if method.start_pass is None else "data"
        raise InputError(
            f"method {method.name!r} takes its start out of {source}, so it cannot go on from "
            "another one; use method lora, or model.adapter, which merges it into the base"
        )


@torch.no_grad()
def load_start(
    method: Any, model: Any, name: str, like: Any, locations: Mapping[str, Location]
) -> None:
    """Put an adapter's tensors in the place of those that a method has just drawn.

    A LoRA may have another scale than the method: B is multiplied by what makes up for it.

    Args:
        method: a method of peft, attached to `model`.
        model: peft's wrapper; its tensors are written.
        name: the adapter's folder.
        like: the plain model of transformers, whose weights are not looked at.
        locations: where the weights of layers that `model` has unfolded stand in it.

    Raises:
        InputError: there is no such adapter, or it is of another kind, has another rank or other
            settings, or adapts other layers.
    """
    from peft import LoraConfig

    stored, wanted = read_adapter(name), model.peft_config[ADAPTER]
    if type(stored.settings) is not type(wanted):
        raise InputError(
            f"method.start {name!r} is of peft's type {_kind(stored.settings)}, but method "
            f"{method.name!r} trains {_kind(wanted)}"
        )
    if any("embed" in key and ".lora_" not in key for key in stored.tensors):
        raise InputError(f"method.start {name!r} holds embeddings: merge it by model.adapter")
    _expect_same_settings(method, stored, asdict(wanted))
    if type(wanted) is LoraConfig:
        _load_factors(stored, model, factors_in(stored, like, locations))
    else:
        _load_as_peft_does(stored, model)


def _load_factors(
    stored: StoredAdapter, model: Any, factors: Mapping[str, Mapping[str, Tensor]]
) -> None:
    layers = adapted_layers(model)
    for name in layers:
        found, own = len(factors.get(name, {}).get("lora_A", ())), len(_a(layers[name]))
        if found not in (0, own):
            same = {len(parts["lora_A"]) for parts in factors.values() if parts} == {found}
            at = "" if same else f" at {name}"
            raise InputError(
                f"method.start {stored.name!r} has rank {found}{at}, not {own}; set method.rank"
            )
    _expect_same_layers(stored.name, layers.keys() - factors, factors.keys() - layers, factors)
    for name, layer in layers.items():
        a, b, *magnitude = factors[name].values()
        _a(layer).copy_(a)
        layer.lora_B[ADAPTER].weight.copy_(b / layer.scaling[ADAPTER])
        for tensor in magnitude:
            layer.lora_magnitude_vector[ADAPTER].weight.copy_(tensor)


def _a(layer: Any) -> Tensor:
    return layer.lora_A[ADAPTER].weight


def _load_as_peft_does(stored: StoredAdapter, model: Any) -> None:
    from peft import set_peft_model_state_dict

    before = {name: tensor._version for name, tensor in _trained(model).items()}
    loaded = set_peft_model_state_dict(model, stored.tensors, adapter_name=ADAPTER)
    after = _trained(model)
    untouched = [name for name, tensor in after.items() if tensor._version == before[name]]
    of_adapter = (key.split(".lora_")[0] for key in stored.tensors)
    _expect_same_layers(stored.name, untouched, loaded.unexpected_keys, of_adapter)


def _trained(model: Any) -> dict[str, Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _kind(settings: Any) -> str:
    return type(settings).__name__.removesuffix("Config")


def _expect_same_layers(
    name: str, lacking: Iterable[str], others: Iterable[str], of_adapter: Iterable[str]
) -> None:
    """Refuse an adapter that lacks layers of the method, or has others."""
    there = sorted(others) or sorted(lacking)
    if not there:
        return
    what = "adapts layers that the method does not" if list(others) else "lacks"
    modules = sorted({layer.rpartition(".")[2] for layer in of_adapter})
    raise InputError(
        f"method.start {name!r} {what}: {', '.join(there[:_NAMED])}; the layers of the adapter "
        f"are {', '.join(modules)}: set method.modules to them"
    )


def _expect_same_settings(method: Method, stored: StoredAdapter, wanted: dict[str, Any]) -> None:
    from peft import LoraConfig

    name, found = stored.name, asdict(stored.settings)
    if found.get("use_rslora") and not wanted.get("use_rslora"):
        raise InputError(f"method.start {name!r} is an rsLoRA; use method rslora")
    free = _FREE
    if type(stored.settings) is LoraConfig:
        free = _FREE | _OF_FACTORS
        if (start := found["init_lora_weights"]) not in _LEAVE_THE_BASE:
            raise InputError(
                f"method.start {name!r} took its own start out of the base (init_lora_weights "
                f"{start!r}), which the method leaves whole; model.adapter merges it into the base"
            )
    # What makes another method of it comes first.
    for key, value in sorted(wanted.items(), key=lambda item: not item[0].startswith("use_")):
        if key in free or ("init" in key and key != "init_r") or "dropout" in key:
            continue
        if key in found and _plain(found[key]) != _plain(value):
            own = _NAMED_HERE.get(key, key)
            settable = own in type(method.config).model_fields
            advice = f"set method.{own}" if settable else "model.adapter merges it into the base"
            raise InputError(
                f"method.start {name!r} has {own} {_word(found[key])}, not {_word(value)}; {advice}"
            )


def _plain(value: Any) -> Any:
    if isinstance(value, (set, list, tuple)):
        return sorted(map(str, value)) or None
    return value or None


def _word(value: Any) -> str:
    """Return a setting's value as it may stand in a message."""
    if isinstance(value, (set, list, tuple)):
        return ", ".join(sorted(map(str, value))) or "none"
    return "none" if value in (None, {}, "") else str(value)
