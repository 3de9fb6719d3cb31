"""Linear maps whose weight is laid out once for products with few rows, where that is faster."""

from __future__ import annotations

import platform
from collections import defaultdict

import torch
from torch import Tensor, nn

from verirank.sampling._memory import PACKED_FROM

_OPS = ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")


class PackedLinear(nn.Module):
    """What `nn.Linear` computes, on an x86 CPU.

    A product lays its weight out in blocks first, each time anew. For training's hundreds of rows
    that is nothing beside the product; of one token a sample it is a third. It is done by the
    operations of torch that its compiler emits for a frozen model. Their numbers differ from the
    plain layer's by rounding at most.
    """

    def __init__(self, linear: nn.Linear) -> None:
        """Start from a plain layer, which is not kept."""
        super().__init__()
        self.bias = linear.bias
        self.pack(linear.weight)

    def pack(self, weight: Tensor) -> None:
        """Compute with this weight from now on; it is copied."""
        self.blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach())

    def forward(self, rows: Tensor) -> Tensor:
        """Return W x + b of every row."""
        return torch.ops.mkldnn._linear_pointwise(rows, self.blocks, self.bias, "none", [], "")


def pack_linears(model: nn.Module) -> dict[str, list[PackedLinear]]:
    """Put a packed layer in the place of each that gains from it; return them by weight's name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    # A layer of another class may compute something else, and a module may stand in two places.
    places: dict[nn.Linear, list[str]] = defaultdict(list)
    for place, module in model.named_modules(remove_duplicate=False):
        if type(module) is nn.Linear and gains(module.weight):
            places[module].append(place)
    packed: dict[str, list[PackedLinear]] = defaultdict(list)
    for linear, where in places.items():
        layer = PackedLinear(linear)
        packed[names[id(linear.weight)]].append(layer)
        for place in where:
            model.set_submodule(place, layer)
    return dict(packed)


def gains(weight: Tensor) -> bool:
    """Return whether a weight's products are faster when it is packed, with this torch, here."""
    if weight.device.type != "cpu" or weight.numel() < PACKED_FROM:
        return False
    if platform.machine() not in ("x86_64", "AMD64") or not torch.backends.mkldnn.is_available():
        return False
    if not all(hasattr(torch.ops.mkldnn, name) for name in _OPS):
        return False
    if weight.dtype == torch.bfloat16:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return weight.dtype == torch.float32
