"""Which experts of a mixture tokens are sent to, and which of their tensors must therefore move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from torch import nn

from verirank.methods._adapter import PREFIX
from verirank.methods._policy import Policy
from verirank.models import Location


def experts_of(policy: Policy) -> dict[str, Location]:
    """Return the linear layers of experts, by their name in the plain model."""
    return {
        name.removesuffix(".weight"): location
        for name, location in policy.locations.items()
        if location.expert is not None
    }


@contextmanager
def tokens_sent(model: nn.Module, experts: Collection[str]) -> Iterator[set[str]]:
    """Collect the linear layers of experts that forward passes send tokens to.

    Args:
        model: a plain model, or peft's wrapper of one.
        experts: the names of these layers in the plain model.
    """
    reached: set[str] = set()
    hooks = []
    for name, module in model.named_modules():
        if (plain := name.removeprefix(PREFIX)) in experts:

            def note(_: nn.Module, arguments: tuple[object, ...], plain: str = plain) -> None:
                # Llama 4 sends zeros to the experts that its router did not choose.
                if bool(arguments[0].any()):  # pyright: ignore[reportAttributeAccessIssue]
                    reached.add(plain)

            hooks.append(module.register_forward_pre_hook(note))
    try:
        yield reached
    finally:
        for hook in hooks:
            hook.remove()


def excused(
    still: Collection[str],
    modules: Mapping[str, str],
    experts: Mapping[str, Location],
    routed: Collection[str],
    visits: Counter[str],
) -> set[str]:
    """Return the tensors that need not have moved: no token was sent to their expert.

    A layer with tokens in one step alone must move one of its tensors: of LoRA's two, A has a
    gradient from the second step on.

    Args:
        still: the tensors that have not moved.
        modules: of every trainable tensor, the module of the plain model that holds it.
        experts: what `experts_of` returned.
        routed: the layers that the base's own router sends the tokens to.
        visits: in how many steps tokens were sent to each layer.
    """
    moved = {module for name, module in modules.items() if name not in still}
    untrained = set()
    for name in still:
        layer = modules[name]
        has_token = layer in routed or visits[layer] > 0
        if layer in experts and visits[layer] < 2 and (layer in moved or not has_token):
            untrained.add(name)
    return untrained


def untrained_stacks(
    still: Collection[str], modules: Mapping[str, str], experts: Mapping[str, Location]
) -> list[str]:
    """Return the adapted stacks of which no expert has moved; arguments as of `excused`."""
    held = {experts[m].name for m in modules.values() if m in experts}
    moved = {experts[m].name for n, m in modules.items() if m in experts and n not in still}
    return sorted(held - moved)
