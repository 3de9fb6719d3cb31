"""What some methods start from: a pass of the base over training prompts and completions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from verirank.config import InputError

See = Callable[[str, Tensor], None]
"""Takes a linear layer's name and what the layer is given in one part of the data: T x in, fp32."""


class StartData(Protocol):
    """Prompts and completions of the base, in parts that go through a model together."""

    def losses(self, model: nn.Module) -> Iterator[Tensor]:
        """Yield every part's share of the loss that the first training step would have.

        Args:
            model: the base, or a copy of it, without an adapter; parts of it may be replaced. Its
                linear layers are given the tokens of the data, and none of padding.
        """
        ...


@torch.no_grad()
def see_inputs(model: nn.Module, names: Iterable[str], data: StartData, see: See) -> None:
    """Show what linear layers are given in a forward pass over the data.

    Layers that are given the same tensor, as queries, keys and values are, are shown the same one.

    Args:
        model: a plain model, for this alone.
        names: its linear layers.
        data: what passes through it.
        see: is shown every layer's inputs, a part of the data at a time.

    Raises:
        InputError: a layer was given no token, as an expert may be.
    """
    seen = dict.fromkeys(names, 0)
    latest: list[Tensor] = [torch.empty(0), torch.empty(0)]

    def hook(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if inputs[0] is not latest[0]:
            latest[:] = inputs[0], inputs[0].detach().flatten(0, -2).to(torch.float32)
        seen[name] += len(latest[1])
        if len(latest[1]):
            see(name, latest[1])

    with ExitStack() as stack:
        for name in seen:
            layer = model.get_submodule(name)
            stack.callback(layer.register_forward_hook(partial(hook, name)).remove)
        for _ in data.losses(model):
            pass
    expect_tokens(name for name, tokens in seen.items() if not tokens)


def gradients_of(model: nn.Module, names: Iterable[str], data: StartData) -> dict[str, Tensor]:
    """Return the gradient of the data's loss by the weights of linear layers, out x in, in fp32.

    Args:
        model: a plain model, for this alone.
        names: its linear layers.
        data: what passes through it.

    Raises:
        InputError: a layer was given no token, or all advantages are zero.
    """
    weights: dict[str, Any] = {name: model.get_submodule(name).weight for name in names}
    sums: dict[str, Tensor] = {}

    def take(name: str, weight: Tensor) -> None:
        # A bf16 model's own gradients would be summed in bf16.
        gradient = weight.grad
        assert gradient is not None
        wide = gradient.to(torch.float32)
        sums[name] = sums[name] + wide if name in sums else wide
        weight.grad = None

    with torch.enable_grad():
        for name, weight in weights.items():
            weight.requires_grad_(True)
            weight.register_post_accumulate_grad_hook(partial(take, name))
        for loss in data.losses(model):
            loss.backward()
    expect_tokens(name for name in weights if name not in sums)
    if not any(gradient.any() for gradient in sums.values()):
        raise InputError(
            "the completions that the method starts from leave no gradient, as the rewards of no "
            "problem differ: raise method.problems"
        )
    return sums


def expect_tokens(without: Iterable[str]) -> None:
    """Refuse to start layers that were given no token.

    Raises:
        InputError: there are some; the message names one.
    """
    for name in without:
        raise InputError(
            f"no token of the completions that the method starts from was sent to {name}: raise "
            "method.problems, or leave such layers out, as by "
            'method.modules = ["!*experts*"]'
        )
