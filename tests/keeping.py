"""What autograd keeps for a backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def kept_bytes(compute: Callable[[], Tensor], besides: Iterable[Tensor] = ()) -> int:
    """Return the bytes of all storages that a computation keeps, but for those of some tensors."""
    own = {tensor.untyped_storage().data_ptr() for tensor in besides}
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        computed = compute()
    assert computed.requires_grad
    return sum(storages.values())
