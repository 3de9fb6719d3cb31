"""Conv1D layers and stacks of experts as linear layers over the same storage, and back again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from verirank.config import InputError

_TRANSPOSED = ("Llama4TextExperts",)
"""Classes that hold experts as [expert, in, out], and do not say so by `is_transposed`."""
_BY_LINEAR = (nn.functional.linear,)
_BY_PRODUCT = (torch.matmul, Tensor.matmul, Tensor.__matmul__, Tensor.__rmatmul__)


@dataclass(frozen=True, slots=True)
class Location:
    """Where the weight (out x in) of an unfolded linear layer stands in the plain model.

    `expert` is its index in a stack of `experts`; None is a matrix of its own. `transposed` is
    whether the plain model holds it as in x out, and `swapped` whether it does so without saying.
    """

    name: str
    expert: int | None
    experts: int
    transposed: bool
    swapped: bool = False


def unfold(model: nn.Module) -> dict[str, Location]:
    """Replace Conv1D layers and stacked experts of a model by linear layers, in place.

    They share the storage of the weights that they replace. A stack of experts keeps its own
    forward pass and calls the layer `experts.3.down_proj` wherever that multiplies by
    `experts.down_proj[3]`. Routers stay as they are.

    Returns:
        Where the weight of each new layer stands in the plain model.
    """
    from transformers.pytorch_utils import Conv1D

    locations: dict[str, Location] = {}
    for path, module in list(model.named_modules()):
        if isinstance(module, Conv1D):
            linear = _linear(module.weight.data.T, module.bias)
            model.set_submodule(path, linear)
            locations[f"{path}.weight"] = Location(f"{path}.weight", None, 1, transposed=True)
        else:
            locations |= _unfold_experts(path, module)
    return locations


def _unfold_experts(path: str, module: Any) -> dict[str, Location]:
    if not type(module).__name__.endswith("Experts"):
        return {}
    stacks: dict[str, nn.Parameter] = {
        name: parameter
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.ndim == 3 and "bias" not in name
    }
    locations = {}
    swapped = type(module).__name__ in _TRANSPOSED
    transposed = swapped or bool(getattr(module, "is_transposed", False))
    for number in range(max(map(len, stacks.values()), default=0)):
        expert = nn.Module()
        for name, stack in stacks.items():
            if number >= len(stack):
                continue  # the stacks of one module may be of different heights
            weight = stack.data[number]
            setattr(expert, name, _linear(weight.T if transposed else weight, None))
            location = Location(f"{path}.{name}", number, len(stack), transposed, swapped)
            locations[f"{path}.{number}.{name}.weight"] = location
        module.add_module(str(number), expert)
    for name, stack in stacks.items():
        del module._parameters[name]
        module.__dict__[name] = _Stack(module, name, stack.shape, transposed)
    # transformers' faster forward passes multiply by the whole stack.
    if eager := getattr(type(module).forward, "__wrapped__", None):
        module.forward = MethodType(eager, module)
    return locations


def _linear(weight: Tensor, bias: nn.Parameter | None) -> nn.Linear:
    outputs, inputs = weight.shape
    linear = nn.Linear(inputs, outputs, bias=False, device="meta")
    linear.weight = nn.Parameter(weight, requires_grad=False)
    linear.bias = bias  # pyright: ignore[reportAttributeAccessIssue]
    return linear


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """Stands for a stack of weights in the forward pass of its experts."""

    module: nn.Module
    name: str
    shape: torch.Size
    transposed: bool

    def __getitem__(self, expert: Any) -> _Weight:
        return _Weight(self, int(expert))

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Tensor:
        """Compute `torch.bmm(inputs, stack)`, expert by expert."""
        stacks = [one for one in arguments if isinstance(one, cls)]
        if function is not torch.bmm or not stacks[0].transposed or arguments[1] is not stacks[0]:
            raise _otherwise(stacks[0], function)
        return torch.stack([x @ stacks[0][n] for n, x in enumerate(arguments[0])])


@dataclass(frozen=True, slots=True, eq=False)
class _Weight:
    """Stands for one expert's weight, whose product is that of the expert's linear layer."""

    stack: _Stack
    expert: int

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Tensor:
        """Compute `linear(x, weight, bias)`, or `x @ weight`."""
        x, weight, *bias = arguments
        known = (
            not keywords
            and isinstance(weight, cls)
            and function in (_BY_PRODUCT if weight.stack.transposed else _BY_LINEAR)
        )
        if not known:
            one = next(one for one in arguments if isinstance(one, cls))
            raise _otherwise(one.stack, function)
        experts = weight.stack.module._modules
        output: Tensor = getattr(experts[str(weight.expert)], weight.stack.name)(x)
        return output if not bias or bias[0] is None else output + bias[0]


def _otherwise(stack: _Stack, function: Any) -> InputError:
    kind, name = type(stack.module).__name__, getattr(function, "__name__", str(function))
    return InputError(
        f"the experts of this model ({kind}) use {stack.name} by {name}, which no adapter can take "
        'part in; leave them out: method.modules = ["!*experts*"]'
    )


def fold(
    weights: Iterable[tuple[str, Tensor]], locations: dict[str, Location]
) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of unfolded layers as those of the plain model.

    Args:
        weights: by the names of the unfolded model; those of a stack come one after another.
        locations: what `unfold` returned.
    """
    stacks: dict[str, Tensor] = {}
    for name, weight in weights:
        location = locations.get(name)
        if location is None:
            yield name, weight
            continue
        weight = weight.T if location.transposed else weight
        if location.expert is None:
            yield location.name, weight.contiguous()
            continue
        if location.name not in stacks:
            stacks[location.name] = weight.new_empty((location.experts, *weight.shape))
        stacks[location.name][location.expert] = weight
        if location.expert == location.experts - 1:
            yield location.name, stacks.pop(location.name)
