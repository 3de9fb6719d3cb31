"""Linear layers whose weight is packed into blocks once, for products with few rows on a CPU."""

from __future__ import annotations

import platform
from collections import defaultdict

import torch
from torch import Tensor, nn

PACKED_FROM = 2**16
"""Fewest elements of a matrix that is packed; below, the plain product is as fast."""
_OPS = ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")


class PackedLinear(nn.Module):
    """Computes `nn.functional.linear` on an x86 CPU, up to rounding.

    A matrix product first packs its weight into blocks. With the hundreds of rows of training that
    costs nothing; when decoding one token a sample it takes a third of the time. Here the weight
    is packed once, with the operations that torch's compiler emits for a frozen model.
    """

    def __init__(self, linear: nn.Linear) -> None:
        """Pack the weight of a plain layer."""
        super().__init__()
        self.bias = linear.bias
        self.pack(linear.weight)

    def pack(self, weight: Tensor) -> None:
        """Replace the weight by a packed copy of this one."""
        self.blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach())

    def forward(self, rows: Tensor) -> Tensor:
        """Return x W^T + b."""
        return torch.ops.mkldnn._linear_pointwise(rows, self.blocks, self.bias, "none", [], "")


def pack_linears(model: nn.Module) -> dict[str, list[PackedLinear]]:
    """Replace every linear layer that gains from it; return the new ones by their weight's name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    # A subclass may compute something else, and a module may be registered under several names.
    names_of: dict[nn.Linear, list[str]] = defaultdict(list)
    for path, module in model.named_modules(remove_duplicate=False):
        if type(module) is nn.Linear and gains(module.weight):
            names_of[module].append(path)
    packed: dict[str, list[PackedLinear]] = defaultdict(list)
    for linear, paths in names_of.items():
        layer = PackedLinear(linear)
        packed[names[id(linear.weight)]].append(layer)
        for path in paths:
            model.set_submodule(path, layer)
    return dict(packed)


def gains(weight: Tensor) -> bool:
    """Return whether packing a weight speeds up its products on this machine with this torch."""
    if weight.device.type != "cpu" or weight.numel() < PACKED_FROM:
        return False
    if platform.machine() not in ("x86_64", "AMD64") or not torch.backends.mkldnn.is_available():
        return False
    if not all(hasattr(torch.ops.mkldnn, name) for name in _OPS):
        return False
    if weight.dtype == torch.bfloat16:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return weight.dtype == torch.float32
