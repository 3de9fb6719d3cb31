"""Whether a method suits a model, told from names and shapes before any weight is read."""

from __future__ import annotations

from verirank.config import InputError, MethodConfig, ModelConfig
from verirank.methods._method import Method, create_method
from verirank.methods._start import expect_start, load_start
from verirank.models import is_four_bit, keep_distinct_layers, load_skeleton, unfold


def expect_base_suits(method: Method, *, four_bit: bool) -> None:
    """Refuse a method that needs of its base what that does not hold, or a start that it has not.

    Args:
        method: with its settings.
        four_bit: whether the base holds its weights in 4 bits.

    Raises:
        InputError: it does; the message says what to use instead.
    """
    if method.config.start is not None:
        expect_start(method)
    if not four_bit:
        return
    if method.trains_base or method.edits_base:
        does = "trains" if method.trains_base else "takes its start out of"
        raise InputError(
            f"method {method.name!r} {does} the base's own weights, which a 4-bit base does "
            "not hold; use a method that adds to them, such as lora or dora, or load the base "
            "in bfloat16"
        )
    if method.config.start is not None:
        raise InputError(
            "method.start over a 4-bit base: the model with the adapter would be rounded to other "
            "4 bits than the model without it; use model.adapter, or load the base in bfloat16"
        )


def expect_fits(config: MethodConfig, model: ModelConfig, total_steps: int) -> None:
    """Refuse a method whose settings do not suit a model, without reading the model's weights.

    The method is attached to the model on torch's meta device. What it would only find out from
    weights is left to `Policy.create`.

    Args:
        config: the method and its settings.
        model: the base, of which config.json is read, and the adapter that is its start.
        total_steps: how many optimiser steps the trial will take.

    Raises:
        InputError: the model lacks a layer that is named, a rank is too high, the start has other
            layers, or whatever else `Policy.create` refuses.
    """
    method = create_method(config)
    expect_base_suits(method, four_bit=is_four_bit(model))
    like, plain = load_skeleton(model), load_skeleton(model)
    if config.start is None:  # whose layers are all looked at
        keep_distinct_layers(plain)
    locations = unfold(plain) if method.serves == "linears" else {}
    try:
        adapted = method.attach(plain, seed=0, total_steps=total_steps)
    except (NotImplementedError, RuntimeError):  # of what is computed from weights
        return
    if config.start is not None:
        load_start(method, adapted, config.start, like, locations)
