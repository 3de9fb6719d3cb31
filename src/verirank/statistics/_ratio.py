"""The ratio of two means over the same seeds and problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._bootstrap import bootstrap_means, own_noise
from verirank.statistics._scores import FloatArray, as_finite

_FURTHEST = 1e3
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of means with its 95 % interval; a bound is None where nothing bounds it."""

    ratio: float
    low: float | None
    high: float | None


def ratio_of_means(
    values_SP: ArrayLike, whole_SP: ArrayLike, generator: np.random.Generator
) -> Ratio:
    """Return mean(values) / mean(whole), where the whole's own interval is above 0.

    The interval holds every r for which the interval of the mean of values - r whole
    (`bootstrap_mean`, always on the same resamples) holds 0 (Fieller, 1954).

    Args:
        values_SP: one value a seed and problem.
        whole_SP: what they are a part of, on the same seeds and problems.
        generator: the source of the resamples.

    Raises:
        ValueError: shapes differ, or the whole's mean is not positive.
    """
    values_SP, whole_SP = as_finite(values_SP, ndim=2), as_finite(whole_SP, ndim=2)
    if values_SP.shape != whole_SP.shape or whole_SP.mean() <= 0:
        raise ValueError("a ratio needs the same seeds and problems, and a positive whole")
    ratio, begun = float(values_SP.mean() / whole_SP.mean()), generator.bit_generator.state

    def bounds(r: float) -> tuple[float, float]:
        generator.bit_generator.state = begun
        rest_BSP: FloatArray = (values_SP - r * whole_SP)[None]
        (interval,) = bootstrap_means(rest_BSP, generator, own_noise(rest_BSP))
        return interval.low, interval.high

    low = _last_inside(ratio, -1.0, lambda r: bounds(r)[0] <= 0)
    high = _last_inside(ratio, 1.0, lambda r: bounds(r)[1] >= 0)
    return Ratio(ratio, low, high)


def _last_inside(
    start: float, direction: float, is_inside: Callable[[float], bool]
) -> float | None:
    """Return how far one can go from a start; None where there is no end in sight."""
    inside, outside, stride = start, start + direction / 64, 1 / 64
    while is_inside(outside):
        inside, stride = outside, 2 * stride
        outside = start + direction * stride
        if stride > _FURTHEST:
            return None
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_inside(middle) else (inside, middle)
    return inside
