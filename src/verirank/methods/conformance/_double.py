"""A model in fp64 that never is in fp64 as a whole, which would take 8 bytes a weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import nn


@contextmanager
def computing_in_fp64(model: nn.Module) -> Iterator[None]:
    """Let every part of a model have its numbers in fp64 while it computes, and only then.

    Afterwards each tensor is the one that it was. For forward passes without a gradient.
    """
    with ExitStack() as stack:
        for part in _parts(model):
            held: list[Callable[[], None]] = []
            before = part.register_forward_pre_hook(partial(_widen, held))
            after = part.register_forward_hook(partial(_put_back, held), always_call=True)
            stack.callback(before.remove)
            stack.callback(after.remove)
        for module in model.modules():
            eager = getattr(type(module).forward, "__wrapped__", None)
            if (
                type(module).__name__.endswith("Experts")
                and eager
                and "forward" not in vars(module)
            ):
                module.forward = MethodType(eager, module)  # the faster passes have no fp64
                stack.callback(delattr, module, "forward")
        yield


def _parts(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the decoder's layers, and the modules beside them that have no others in them."""
    if isinstance(model, nn.ModuleList):
        yield from model
        return
    children = list(model.children())
    if not children:
        yield model
    for child in children:
        yield from _parts(child)


def _widen(held: list[Callable[[], None]], part: nn.Module, inputs: Any) -> None:
    for parameter in part.parameters():
        if parameter.dtype == torch.float32:
            held.append(partial(setattr, parameter, "data", parameter.data))
            parameter.data = parameter.data.double()
    for module in part.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.dtype == torch.float32:
                held.append(partial(setattr, module, name, buffer))
                setattr(module, name, buffer.double())


def _put_back(held: list[Callable[[], None]], part: nn.Module, inputs: Any, output: Any) -> None:
    while held:
        held.pop()()
