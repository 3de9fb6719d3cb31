"""The proof of methods that rotate the inputs of a linear: angles between its rows stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from verirank.methods._policy import Policy
from verirank.methods.peft_tuners._tuner import updates


def keeps_angles(
    policy: Policy, scale: Callable[[Any], Tensor | float] = lambda _: 1.0
) -> tuple[bool, str]:
    """Return whether W' = diag(scale) W R with an R that is orthogonal and not the identity.

    Rows keep their products with each other: (W'/s)(W'/s)^T = W W^T.

    Args:
        policy: has taken steps.
        scale: of a layer's rows, out x 1.
    """
    error, moved = 0.0, 0.0
    for layer, weight, published in updates(policy):
        rotated = published / scale(layer)
        products = weight @ weight.T
        error = max(error, float((rotated @ rotated.T - products).norm() / products.norm()))
        moved = max(moved, float((rotated - weight).norm() / weight.norm()))
    detail = f"products of rows off by {error:.1e}, weights turned by {moved:.1e} (relative)"
    return error < 1e-5 and 10 * error < moved < float("inf"), detail
