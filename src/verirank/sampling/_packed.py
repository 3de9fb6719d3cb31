"""Linear maps whose weight is laid out once for products with few rows, where that is faster."""

from __future__ import annotations

import platform

import torch
from torch import Tensor, nn

from verirank.sampling._memory import PACKED_FROM

_DTYPES = (torch.float32, torch.bfloat16)


class PackedLinear(nn.Module):
    """What `nn.Linear` computes, on an x86 CPU.

    A product lays its weight out in blocks first, each time anew. For training's hundreds of rows
    that is nothing beside the product; of one token a sample it is a third. In bfloat16 the numbers
    are the same to the bit, in float32 they differ by rounding.
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


def pack_linears(model: nn.Module) -> dict[str, PackedLinear]:
    """Put a packed layer in the place of each that gains from it; return them by weight's name."""
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and gains(module.weight)
    }
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    packed = {}
    for name, linear in found.items():
        place = packed[names[id(linear.weight)]] = PackedLinear(linear)
        model.set_submodule(name, place)
    return packed


def gains(weight: Tensor) -> bool:
    """Return whether a weight's products are faster when it is packed, on this machine."""
    if weight.device.type != "cpu" or weight.dtype not in _DTYPES or weight.numel() < PACKED_FROM:
        return False
    if platform.machine() not in ("x86_64", "AMD64") or not torch.backends.mkldnn.is_available():
        return False
    return weight.dtype != torch.bfloat16 or torch.ops.mkldnn._is_mkldnn_bf16_supported()
