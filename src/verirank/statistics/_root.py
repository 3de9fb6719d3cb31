"""The root of a monotone function; scipy's own take a fifth of a second to import."""

from __future__ import annotations

from collections.abc import Callable

_PRECISION = 1e-12
"""Of the root, relative to it."""


def root_of(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a continuous function changes its sign, by bisection.

    Args:
        function: has one sign at `low` and the other at `high`, or is 0 there.
        low: at least 0.
        high: above `low`.

    Raises:
        ValueError: both ends have the same sign.
    """
    at_low, at_high = function(low), function(high)
    if at_low == 0 or at_high == 0:
        return low if at_low == 0 else high
    if (at_low > 0) == (at_high > 0):
        raise ValueError(f"no change of sign between {low} and {high}")
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        if (function(middle) > 0) == (at_low > 0):
            low = middle
        else:
            high = middle
    return (low + high) / 2
