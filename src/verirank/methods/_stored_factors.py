"""The factors of a stored LoRA by the layers that a policy adapts, experts one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from verirank.config import InputError
from verirank.methods._adapter import (
    ADAPTER,
    PREFIX,
    adapted_layers,
    adapted_parameter,
    wrapped_without_weights,
)
from verirank.models import Location, StoredAdapter


def stacked(factors: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return A and B of a stack of experts in peft's order, for factors of one rank r.

    That is an expert's rows of A together (E r x in), and every expert's k-th columns of B together
    (out x r E).
    """
    a, b = zip(*factors, strict=True)
    return torch.cat(a), torch.stack(b, dim=-1).flatten(1)


def unstacked(a: Tensor, b: Tensor, experts: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield A (r x in) and B (out x r) of each expert: the inverse of `stacked`."""
    columns = b.unflatten(1, (-1, experts))
    for number, rows in enumerate(a.chunk(experts)):
        yield rows, columns[..., number]


def factors_in(
    adapter: StoredAdapter, like: Any, locations: Mapping[str, Location]
) -> dict[str, dict[str, Tensor]]:
    """Return A (r x in), s B (out x r) and DoRA's magnitudes by layer of the unfolded model.

    Args:
        adapter: a LoRA.
        like: the plain model of transformers, whose weights are not looked at.
        locations: where the weights of unfolded layers stand in it.

    Raises:
        InputError: the adapter does not fit the model, or lacks tensors.
    """
    try:
        wrapped = wrapped_without_weights(like, adapter.settings)
    except (ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"adapter {adapter.name!r} does not fit the model: {reason}") from error
    adapter.expect_tensors_of(wrapped)
    found: dict[str, dict[str, Tensor]] = {}
    for name, layer in adapted_layers(wrapped).items():
        parts = [adapter.tensors.get(f"{PREFIX}{name}.{part}") for part in _PARTS]
        a, b, magnitude = (None if part is None else part.float() for part in parts)
        if a is None or b is None:  # of embeddings, which no method adapts
            found[name] = {}
        elif parameter := adapted_parameter(name, layer):
            scaled = unstacked(a, b * layer.scaling[ADAPTER], layer.num_experts)
            found |= _of_experts(parameter, scaled, locations)
        else:
            found[name] = {"lora_A": a, "lora_B": b * layer.scaling[ADAPTER]}
            if magnitude is not None:
                found[name]["lora_magnitude_vector"] = magnitude
    return found


_PARTS = ("lora_A.weight", "lora_B.weight", "lora_magnitude_vector")


def _of_experts(
    parameter: str, factors: Iterator[tuple[Tensor, Tensor]], locations: Mapping[str, Location]
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield the unfolded layer of each expert of a stack with its factors."""
    layers = {
        location.expert: (name.removesuffix(".weight"), location)
        for name, location in locations.items()
        if location.name == parameter
    }
    for number, (a, b) in enumerate(factors):
        # A matrix is a stack of one; another parameter is no layer that a method adapts.
        name, location = layers.get(number, (parameter.removesuffix(".weight"), None))
        swapped = location is not None and location.swapped
        yield name, {"lora_A": b.T, "lora_B": a.T} if swapped else {"lora_A": a, "lora_B": b}
