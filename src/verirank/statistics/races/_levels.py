"""How far the levels of a race's tests may be raised because these depend on each other."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special

from verirank.statistics._bootstrap import fixed_generator
from verirank.statistics._scores import FloatArray

_DRAWS, _MOST_NUMBERS = 50_000, 4_000_000
_AIM = 0.95
"""Of the error: the rest is left for what is not normal, and for the draws' own error."""


@lru_cache(maxsize=64)
def joint_levels(arms: int, looks: tuple[int, ...], spent: tuple[float, ...]) -> FloatArray:
    """Return the level of one test a look, where so many arms are left, u x looks.

    A test is one-sided and of one arm against another. Bonferroni would give each of the u (u - 1)
    tests of a look an equal part of its error, as if no two ever erred together. But two pairs
    share an arm, and two looks share seeds. So races of u equal arms are drawn with normal noise,
    as sums over seeds, and Bonferroni's levels are raised until the chance that any look calls any
    two arms different is the error: the studentized range, over several looks. P-values of t-tests
    are compared with the levels of normal ones (Pocock, Biometrika 64, 1977).

    Args:
        arms: the largest u, at least two.
        looks: the numbers of seeds after which arms are compared.
        spent: the error of each look.

    Returns:
        Levels; the row of index u is for u arms, those of 0 and 1 are as for two.
    """
    draws = max(1000, min(_DRAWS, _MOST_NUMBERS // (arms * len(looks))))
    new_L = np.diff(np.array(looks), prepend=0)
    steps_NML = fixed_generator().standard_normal((draws, arms, len(looks)))
    # In units of the SD of a difference between two arms.
    mean_NML = np.cumsum(steps_NML * np.sqrt(new_L), axis=2) / np.sqrt(2.0 * np.array(looks))
    range_NML = np.maximum.accumulate(mean_NML, axis=1) - np.minimum.accumulate(mean_NML, axis=1)
    levels_UL = np.zeros((arms + 1, len(looks)))
    for u in range(2, arms + 1):
        # In parts of each look's error: the least that calls a drawn race's arms different.
        parts_N = (special.ndtr(-range_NML[:, u - 1]) / np.array(spent)).min(axis=1)
        raised = float(np.quantile(parts_N, _AIM * sum(spent)))
        levels_UL[u] = np.array(spent) * max(raised, 1 / (u * (u - 1)))
    levels_UL[:2] = levels_UL[2]
    return levels_UL
