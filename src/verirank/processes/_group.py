"""The group of processes that torchrun started; one alone is a group of one, and costs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed as dist
from torch import Tensor, nn

from verirank.config import AlreadyReportedError, InputError

T = TypeVar("T")
_PATIENCE = timedelta(hours=2)
"""How long a process waits for another, which may be proving a method or sampling a bench."""


@contextmanager
def joined(device: str = "cpu") -> Iterator[None]:
    """Join the processes that torchrun or `accelerate launch` started, for as long as the block.

    Args:
        device: on `cuda`, tensors go by NCCL; everything else goes by gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return this process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Return whether this process is the one that writes and speaks."""
    return rank() == 0


def own_part(items: Sequence[T]) -> Sequence[T]:
    """Return the consecutive items that this process works on; sizes differ by at most one."""
    n = len(items)
    return items[rank() * n // count() : (rank() + 1) * n // count()]


def collect(items: Sequence[T]) -> list[T]:
    """Return the items of all processes, in the order of the processes."""
    if count() == 1:
        return list(items)
    gathered: list[Any] = [None] * count()
    dist.all_gather_object(gathered, list(items))
    return [item for items in gathered for item in items]


def any_process(wish: bool) -> bool:
    """Return, in every process alike, whether any has the wish."""
    return any(collect([wish]))


def on_first(work: Callable[[], T]) -> T:
    """Let the first process do some work; return its result in all of them.

    Raises:
        AlreadyReportedError: in the others, where the work failed in the first, which raises why.
    """
    if count() == 1:
        return work()
    error, outcome = None, [None, None]
    if is_first():
        try:
            outcome = [work(), None]
        except BaseException as raised:
            error, outcome = raised, [None, str(raised) or type(raised).__name__]
    dist.broadcast_object_list(outcome, src=0)
    if error is not None:
        raise error
    result, failure = outcome
    if failure is not None:
        raise AlreadyReportedError(failure)
    return result  # type: ignore[return-value]


def expect_same(things: dict[str, str]) -> None:
    """Hold what a process has against what the first one has.

    Args:
        things: what has to be the same in all processes, by the name that the user is told.

    Raises:
        InputError: in the first process, if another differs; it names the first difference.
        AlreadyReportedError: in the others.
    """
    everybodys = collect([things])

    def compare() -> None:
        for other, theirs in enumerate(everybodys):
            for name, mine in everybodys[0].items():
                if theirs.get(name) != mine:
                    raise InputError(
                        f"process {other} differs from process 0 in {name}: {theirs.get(name)} "
                        f"instead of {mine}; start all processes with the same command and files"
                    )

    on_first(compare)


def summed(*scalars: Tensor) -> tuple[Tensor, ...]:
    """Return the sum over all processes of each scalar."""
    if count() > 1:
        for scalar in scalars:
            dist.all_reduce(scalar)
    return scalars


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its sum over all processes; a sharded one is summed already."""
    if count() == 1:
        return
    from torch.distributed.tensor import DTensor

    gradients = [p.grad for p in parameters if p.grad is not None]
    whole = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
    for pending in [dist.all_reduce(gradient, async_op=True) for gradient in whole]:
        assert pending is not None
        pending.wait()
