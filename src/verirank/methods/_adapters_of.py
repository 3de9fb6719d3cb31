"""The adapters that peft loads in place of a policy."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn.functional import pad

from verirank.config import InputError
from verirank.methods._adapter import (
    ADAPTER,
    PREFIX,
    Adapter,
    adapted_layers,
    adapted_parameter,
    wrapped_without_weights,
)
from verirank.methods._peft_conversion import renamed_by_peft
from verirank.methods._policy import Policy
from verirank.methods._stored_factors import stacked


def adapter_of(policy: Policy) -> Adapter:
    """Return a policy as an adapter that peft loads over the untouched base.

    It is of the method's own kind. Over stacked experts, over Conv1D where that kind knows none,
    and over layers that peft would rename, it is a plain LoRA, if the update is of low rank.

    Raises:
        InputError: peft has no such adapter.
    """
    if (layers := _unknown_to_peft(policy)) is None:
        return policy.method.adapter(policy)
    try:
        return lora_adapter(policy)
    except InputError as error:
        raise InputError(
            f"method {policy.method.name!r} over {layers} is no adapter that peft loads; "
            "export it as merged"
        ) from error


def _unknown_to_peft(policy: Policy) -> str | None:
    """Return the adapted layers that an adapter of the method's own kind cannot name."""
    kind: Any = getattr(policy.model, "peft_config", {}).get(ADAPTER)
    if kind is None or policy.original is policy.under.model:
        return None
    targets = policy.method.targets(policy.original)
    locations = [at for name in targets if (at := policy.locations.get(f"{name}.weight"))]
    renamed = renamed_by_peft(policy.under.model) if kind.peft_type == "LORA" else set()
    if any(at.expert is not None for at in locations):
        return "experts"
    if locations and not hasattr(kind, "fan_in_fan_out"):
        return "Conv1D layers"
    return "shared experts" if any(n.rpartition(".")[2] in renamed for n in targets) else None


def own_adapter(policy: Policy) -> Adapter:
    """Return the adapter that peft holds for a policy, as peft would save it.

    A tensor that all layers share stands in it once, by its shortest name.
    """
    from peft import get_peft_model_state_dict

    tensors = get_peft_model_state_dict(policy.model, save_embedding_layers=False)
    names = sorted(tensors, key=lambda name: (len(name), name))
    once = {(tensors[name].data_ptr(), tensors[name].shape): name for name in reversed(names)}
    return Adapter(settings_to_load(policy), {name: tensors[name] for name in once.values()})


def settings_to_load(policy: Policy) -> Any:
    """Return a copy of peft's settings of a policy, as they stand beside a finished adapter."""
    config = copy.deepcopy(policy.model.peft_config[ADAPTER])
    config.inference_mode = True
    config.base_model_name_or_path = policy.under.name
    # A set would be written in another order by every process.
    config.target_modules = sorted(config.target_modules)
    if hasattr(config, "fan_in_fan_out"):
        config.fan_in_fan_out = _over_conv1d(policy)
    return config


def _over_conv1d(policy: Policy) -> bool:
    return any(at.expert is None for at in policy.locations.values())


def lora_adapter(policy: Policy) -> Adapter:
    """Return a plain LoRA of scale 1 with the policy's weights; the scale is folded into B.

    Its rank is the highest of all modules. Factors of a lower rank are filled up with zeros:
    engines expect one rank. Those of stacked experts are peft's `target_parameters`.

    Raises:
        InputError: the method's update is not of low rank.
    """
    from peft import LoraConfig

    update = policy.method.low_rank_update(policy)
    rank = max(a.shape[0] for a, _ in update.values())
    tensors: dict[str, Tensor] = {}
    stacks: dict[str, list[tuple[Tensor, Tensor]]] = {}
    renamed = renamed_by_peft(policy.under.model)
    for name, (a, b) in update.items():
        missing = rank - a.shape[0]
        a, b = pad(a, (0, 0, 0, missing)), pad(b, (0, missing))
        location = policy.locations.get(f"{name}.weight")
        if name.rpartition(".")[2] in renamed and location is None:
            stacks[f"{name}.weight"] = [(a, b)]  # a matrix is a stack of one
        elif location is None or location.expert is None:
            tensors |= _named(PREFIX + name, a, b)
        else:
            stacks.setdefault(location.name, []).append((b.T, a.T) if location.swapped else (a, b))
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=rank,
        target_modules=_target_modules(policy, tensors),
        target_parameters=sorted(stacks) or None,
        fan_in_fan_out=_over_conv1d(policy),
        base_model_name_or_path=policy.under.name,
        inference_mode=True,
    )
    wrappers = _wrappers(policy, config) if stacks else {}
    for name, factors in stacks.items():
        tensors |= _named(wrappers[name], *stacked(factors))
    return Adapter(config, tensors)


def _named(module: str, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    return {f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}


def _target_modules(policy: Policy, tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the last parts of the adapted modules' names, or, where others end so, whole names."""
    names = {key.removeprefix(PREFIX).rpartition(".lora_")[0] for key in tensors}
    last = {name.rpartition(".")[2] for name in names}
    there = {name for name, _ in policy.under.model.named_modules()}
    meant = {name for name in there if name.rpartition(".")[2] in last}
    return sorted(last if meant == names else names)


def _wrappers(policy: Policy, config: Any) -> dict[str, str]:
    """Return which of peft's modules holds the factors of a parameter: it nests them."""
    layers = adapted_layers(wrapped_without_weights(policy.under.model, config))
    named = {adapted_parameter(name, layer): PREFIX + name for name, layer in layers.items()}
    return {parameter: name for parameter, name in named.items() if parameter is not None}
