"""Which differences a finished study could not have seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._bootstrap import has_few_degrees, variance_of_the_mean
from verirank.statistics._noise import ALPHA, POWER, detectable
from verirank.statistics._scores import FloatArray
from verirank.statistics._seed_noise import SeedNoise


def detectable_differences(
    differences_BSP: ArrayLike, noise: SeedNoise | None = None, tests: int = 1
) -> FloatArray:
    """Return the smallest true differences that a study finds four times in five, as it varied.

    With one seed they are about the runs, not about the methods.

    Args:
        differences_BSP: of B pairs of arms, on the same seeds and problems, in shares of 1.
        noise: the seeds', as in `bootstrap_means`; None for that of each pair alone.
        tests: the number that Holm's correction spans; its hardest step counts, which tests at
            alpha / tests.

    Returns:
        B shares of 1.
    """
    values_BSP = np.asarray(differences_BSP, dtype=np.float64)
    found_B = _detectable(*variance_of_the_mean(values_BSP, noise), tests)
    if noise is None:
        return found_B
    # As `of_seeds_alone` has it.
    seeds_B = np.where(has_few_degrees(noise), noise.variance_B / values_BSP.shape[1], 0.0)
    return np.maximum(found_B, _detectable(seeds_B, noise.degrees_B, tests))


def _detectable(variance_B: FloatArray, degrees_B: FloatArray, tests: int) -> FloatArray:
    moments = zip(variance_B.tolist(), degrees_B.tolist(), strict=True)
    return np.array([detectable(v, d, ALPHA / tests, POWER) for v, d in moments])
