"""Each arm's training reward, and its score during training, by step: means and ranges of seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.arms import ArmRuns
from verirank.record import trailing_mean

REWARD_WINDOW = 5
"""Steps over which a run's reward is averaged."""


@dataclass(frozen=True)
class ArmCurve:
    """A measure of an arm at T steps: the mean, least and greatest over its seeds."""

    label: str
    step_T: NDArray[np.float64]
    mean_T: NDArray[np.float64]
    low_T: NDArray[np.float64]
    high_T: NDArray[np.float64]


def reward_curves(board: Leaderboard) -> list[ArmCurve]:
    """Return the training rewards of all arms, best arm first."""
    return [
        _curve(arm, [trailing_mean(curve.reward_T, REWARD_WINDOW) for curve in arm.curves])
        for arm in board.ordered_arms
    ]


def selection_curves(board: Leaderboard) -> list[ArmCurve]:
    """Return the scores during training of the arms that have any, best arm first."""
    curves = [_curve(arm, [c.selection_T for c in arm.curves]) for arm in board.ordered_arms]
    return [curve for curve in curves if len(curve.step_T)]


def _curve(arm: ArmRuns, values: list[NDArray[np.float64]]) -> ArmCurve:
    """Return the curve of each run's values, of which those that are not numbers are left out."""
    value_N = np.concatenate(values)
    known_N = ~np.isnan(value_N)
    step_N, value_N = np.concatenate([c.step_T for c in arm.curves])[known_N], value_N[known_N]
    step_T, index_N, count_T = np.unique(step_N, return_inverse=True, return_counts=True)
    total_T = np.bincount(index_N, weights=value_N, minlength=len(step_T))
    low_T, high_T = np.full(len(step_T), np.inf), np.full(len(step_T), -np.inf)
    np.minimum.at(low_T, index_N, value_N)
    np.maximum.at(high_T, index_N, value_N)
    return ArmCurve(arm.label, step_T, total_T / count_T, low_T, high_T)
