"""Parameters split over the processes (FSDP2), and tensors whole again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from torch import Tensor, nn

from verirank.processes._group import count, is_first

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def shard(root: nn.Module, blocks: Iterable[nn.Module], device: str) -> None:
    """Split a module's parameters, gradients and later moments over the processes.

    A block's parameters are whole only while it computes, those outside of the blocks from the
    root's forward pass to the end of its backward pass. Gradients are summed, not averaged.

    Args:
        root: the module whose forward pass uses all parameters; left alone in a group of one.
        blocks: modules within it, for instance a decoder's layers.
        device: the type of device that the parameters are on.
    """
    if count() == 1:
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (count(),))
    for module in (*blocks, root):
        sharded: Any = fully_shard(module, mesh=mesh)
        sharded.set_gradient_divide_factor(1.0)
        # gloo can only sum; to divide by one, nothing else is needed.
        sharded.set_force_sum_reduction_for_comms(True)


def is_sharded(tensor: Tensor) -> TypeGuard[DTensor]:
    """Return whether a tensor is split over the processes."""
    if count() == 1:  # which needs not half a second of imports
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor whole; all processes have to ask for a sharded one together."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def gathered(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors whole in the first process, one after the other, and nothing elsewhere."""
    taken = {}
    for name, tensor in tensors.items():
        full = whole(tensor)
        if is_first():
            taken[name] = full.cpu() if is_sharded(tensor) else full
    return taken


def sharded_like(tensor: Tensor, other: Tensor) -> Tensor:
    """Return a tensor that every process has whole, split as another of its shape is."""
    if not is_sharded(other) or tensor.shape != other.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    there = tensor.to(other.device)
    return distribute_tensor(there, other.device_mesh, other.placements, src_data_rank=None)
