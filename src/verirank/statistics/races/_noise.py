"""The seeds' noise of differences between arms that were trained on different numbers of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verirank.statistics._scores import FloatArray
from verirank.statistics._seed_noise import SeedNoise, moderated


@dataclass(frozen=True, slots=True)
class ArmNoise:
    """The noise of each arm, without what a seed does to all arms alike.

    `degrees` are the degrees of freedom of all arms together.
    """

    each: SeedNoise
    degrees: float

    def of_pairs(self, first_N: NDArray[np.intp], second_N: NDArray[np.intp]) -> SeedNoise:
        """Return the noise of N differences, with Satterthwaite's degrees of freedom (1946)."""
        variance_M, degrees_M = self.each.variance_B, self.each.degrees_B
        a_N, b_N = variance_M[first_N], variance_M[second_N]
        uncertainty_N = a_N**2 / degrees_M[first_N] + b_N**2 / degrees_M[second_N]
        degrees_N = np.full(len(a_N), self.degrees)
        np.divide((a_N + b_N) ** 2, uncertainty_N, out=degrees_N, where=uncertainty_N > 0)
        return SeedNoise(a_N + b_N, np.minimum(degrees_N, self.degrees))


def noise_of_unequal_arms(means: Sequence[FloatArray]) -> ArmNoise:
    """Return the seeds' noise of arms of which some were trained on more seeds than others.

    Residuals of the additive model arm + seed, fitted to all runs by least squares, give each arm
    its variance; the arms then moderate each other. So an arm that stopped early still helps to
    estimate the noise. With equal numbers of seeds this is `noise_of_differences`.

    Args:
        means: of each arm, at least two, the mean over problems and samples of its first seeds, at
            least two, in the order of the seeds.
    """
    arms, sizes = len(means), [len(one) for one in means]
    arm_N = np.repeat(np.arange(arms), sizes)
    seed_N = np.concatenate([np.arange(size) for size in sizes])
    design_NC = np.zeros((len(arm_N), arms + max(sizes)))
    rows_N = np.arange(len(arm_N))
    design_NC[rows_N, arm_N] = 1.0
    design_NC[rows_N, arms + seed_N] = 1.0
    hat_NN = design_NC @ np.linalg.pinv(design_NC)
    value_N = np.concatenate(means)
    residual_N = value_N - hat_NN @ value_N
    free_M = np.bincount(arm_N, weights=1 - np.diagonal(hat_NN))
    own_M = np.bincount(arm_N, weights=residual_N**2) / free_M
    degrees_M, total = free_M * arms / (arms - 1), float(free_M.sum())
    return ArmNoise(moderated(own_M, degrees_M, total / float(degrees_M.mean())), total)
