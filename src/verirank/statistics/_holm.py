"""Several tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._scores import FloatArray, as_finite


def holm(p_values: ArrayLike) -> FloatArray:
    """Return Holm's adjusted p-values (Scandinavian Journal of Statistics 6, 1979), in order.

    Rejecting where an adjusted value is at most alpha keeps the chance of any false rejection
    among all the tests at or below alpha.

    Raises:
        ValueError: the p-values have not one axis, or one is not in [0, 1].
    """
    if np.size(p_values) == 0:
        return np.empty(0)
    p_values = as_finite(p_values, ndim=1)
    if p_values.min() < 0 or p_values.max() > 1:
        raise ValueError("p-values must lie in [0, 1]")
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
