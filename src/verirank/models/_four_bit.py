"""Linear layers that hold a frozen weight in 4 bits (nf4 of QLoRA, arXiv:2305.14314, section 3)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from verirank.config import InputError
from verirank.models._form import linears_of

INSTALL = "pip install 'verirank[four-bit]'"
_BLOCK = 64
"""Weights that share a scale."""


class FourBitLinear(nn.Linear):
    """A frozen linear layer whose `weight` is dequantised whenever it is read, and never kept."""

    def __init__(self, packed: Tensor, state: Any, bias: nn.Parameter | None) -> None:
        """Hold what bitsandbytes packed.

        Args:
            packed: two weights a byte.
            state: bitsandbytes' QuantState, with the weight's shape and dtype.
            bias: out, or None.
        """
        nn.Module.__init__(self)
        self.out_features, self.in_features = state.shape
        # No buffers: these must keep their dtypes whatever the model is cast to.
        self.packed, self.state = packed, state
        self.bias = bias  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def weight(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The weight, out x in, in the dtype that it was quantised from."""
        from bitsandbytes.functional import (  # pyright: ignore[reportMissingImports]
            dequantize_4bit,
        )

        return dequantize_4bit(self.packed, self.state)

    def product(self, x: Tensor) -> Tensor:
        """Return x W^T, ... x out; the backward pass dequantises W once more."""
        dtype = self.state.dtype if torch.is_autocast_enabled(x.device.type) else x.dtype
        rows: Any = _Product.apply(x.to(dtype), self)
        return rows

    def forward(self, input: Tensor) -> Tensor:
        """Return x W^T + b."""
        product = self.product(input)
        return product if self.bias is None else product + self.bias.to(product.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> FourBitLinear:
        """Share the packed weight, which nobody writes to."""
        return FourBitLinear(self.packed, self.state, copy.deepcopy(self.bias, memo))


class _Product(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: FourBitLinear) -> Tensor:
        ctx.layer = layer
        return x @ layer.weight.to(x.dtype).T

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, None]:
        (grad,) = gradients
        return grad @ ctx.layer.weight.to(grad.dtype), None


def quantise(model: Any) -> None:
    """Replace the linear layers of a model's blocks by 4-bit ones, in place.

    Stacks of experts, Conv1D, embeddings and the head stay as they are.

    Raises:
        InputError: bitsandbytes is not installed, or the model has no such layer.
    """
    linears = linears_of(model)
    if not linears:
        raise InputError("model.quantization: the model has no linear layers that hold 4 bits")
    quantize_4bit = _bitsandbytes().functional.quantize_4bit
    for name, linear in linears.items():
        packed, state = quantize_4bit(linear.weight.data, blocksize=_BLOCK, quant_type="nf4")
        model.set_submodule(name, FourBitLinear(packed, state, linear.bias))


def adopt(model: Any) -> None:
    """Replace the 4-bit layers that bitsandbytes made of a stored checkpoint, in place."""
    kind = _bitsandbytes().nn.Linear4bit
    for name, module in list(model.named_modules()):
        if isinstance(module, kind):
            weight: Any = module.weight
            bias = module.bias
            model.set_submodule(name, FourBitLinear(weight.data, weight.quant_state, bias))
    conversions = getattr(model, "_weight_conversions", None) or []
    # Saving the model would take back what loading converted, and nothing takes back 4 bits.
    model._weight_conversions = [
        one
        for one in conversions
        if not any("4bit" in type(op).__name__ for op in getattr(one, "operations", ()))
    ]
    for holder in (model, model.config):
        for attribute in ("quantization_config", "hf_quantizer", "is_loaded_in_4bit"):
            if attribute in vars(holder):
                delattr(holder, attribute)


def expect_bitsandbytes() -> None:
    """Refuse 4 bits where bitsandbytes is not installed.

    Raises:
        InputError: it is not; the message says how to install it.
    """
    if find_spec("bitsandbytes") is None:
        raise InputError(f"4-bit models need bitsandbytes; run: {INSTALL}")


def _bitsandbytes() -> Any:
    expect_bitsandbytes()
    import bitsandbytes  # pyright: ignore[reportMissingImports]

    return bitsandbytes


def dequantise(model: nn.Module) -> None:
    """Replace 4-bit layers by plain ones with their weights, in place."""
    for name, module in list(model.named_modules()):
        if isinstance(module, FourBitLinear):
            plain = nn.Linear(module.in_features, module.out_features, bias=False, device="meta")
            plain.weight = nn.Parameter(module.weight, requires_grad=False)
            plain.bias = module.bias  # pyright: ignore[reportAttributeAccessIssue]
            model.set_submodule(name, plain)


class PlainWeights(Mapping[str, Tensor]):
    """The parameters of a model by name; those in 4 bits are dequantised when they are read."""

    def __init__(self, model: nn.Module) -> None:
        """Read from a model, whose tensors are not to be written to."""
        self._parameters = dict(model.named_parameters())
        self._packed = {
            f"{name}.weight": module
            for name, module in model.named_modules()
            if isinstance(module, FourBitLinear)
        }
        names = list(self._parameters | self._packed)
        order = {name: index for index, (name, _) in enumerate(model.named_modules())}
        self._names = sorted(names, key=lambda n: (order[n.rpartition(".")[0]], "bias" in n))

    def __getitem__(self, name: str) -> Tensor:
        """Return a parameter."""
        packed = self._packed.get(name)
        return self._parameters[name] if packed is None else packed.weight

    def __iter__(self) -> Iterator[str]:
        """Yield the names in the order of the model."""
        return iter(self._names if self._packed else self._parameters)

    def __len__(self) -> int:
        """Return the number of parameters."""
        return len(self._names)
