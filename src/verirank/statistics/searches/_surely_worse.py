"""Learning rates that a search need not train any further."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verirank.statistics._all_pairs import compare_all_pairs
from verirank.statistics._bootstrap import fixed_generator
from verirank.statistics._noise import check_chances
from verirank.statistics._scores import as_finite


def surely_worse(values_RSP: ArrayLike, error: float = 0.05) -> NDArray[np.bool_]:
    """Return which rates of a search are surely worse than its best.

    Rates are compared pair by pair as methods are in a ranking: on the same seeds and problems,
    corrected by Holm over all pairs, so that having picked the best as a reference costs nothing.

    Args:
        values_RSP: of each rate, the fraction of right samples of each seed and problem.
        error: the chance that any two equal rates are told apart.

    Returns:
        Of each rate, whether it is worse; nothing is sure with one seed or problem.

    Raises:
        ValueError: not R x S x P, a value is not finite, or the error is not inside (0, 1).
    """
    check_chances(error)
    values_RSP = as_finite(values_RSP, ndim=3)
    worse_R = np.zeros(len(values_RSP), dtype=np.bool_)
    if min(values_RSP.shape) == 1:
        return worse_R
    rates = {str(index): values_SP for index, values_SP in enumerate(values_RSP)}
    tests = compare_all_pairs(rates, fixed_generator())
    for index, rate in enumerate(rates):
        pair = tests.pair(tests.arms[0], rate)
        worse_R[index] = pair is not None and pair.p_holm <= error
    return worse_R
