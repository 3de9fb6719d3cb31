"""The same runs seen at equal training time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from verirank.report._curve import Curve
from verirank.report.leaderboard import Leaderboard

_WINDOW = 10


@dataclass(frozen=True, slots=True)
class EqualTime:
    """An arm's mean training reward after the time that the quickest arm takes for all its steps.

    Rewards are means over the last ten steps by then and over the seeds; `steps` is how far the
    arm was, a mean over its seeds. `reward_in_full` is the reward at its own last step.
    """

    label: str
    seconds: float
    steps: float
    reward: float
    reward_in_full: float


def at_equal_time(board: Leaderboard) -> list[EqualTime]:
    """Return every arm at equal training time, best reward first.

    Seconds are those of the runs as they were, so they compare only runs of one machine.
    """
    seconds = min((row.seconds for row in board.main), default=0.0)
    trained = [arm for arm in board.arms if all(len(curve.step_T) for curve in arm.curves)]
    found = [_at(arm.label, arm.curves, seconds) for arm in trained]
    return sorted(found, key=lambda view: -view.reward)


def _at(label: str, curves: Sequence[Curve], seconds: float) -> EqualTime:
    reached = [_reached(curve, seconds) for curve in curves]
    return EqualTime(
        label=label,
        seconds=seconds,
        steps=fmean(steps for steps, _, _ in reached),
        reward=fmean(reward for _, reward, _ in reached),
        reward_in_full=fmean(last for _, _, last in reached),
    )


def _reached(curve: Curve, seconds: float) -> tuple[int, float, float]:
    """Return the steps taken within a time, the reward then, and the reward at the end."""
    steps = max(1, int(np.sum(np.cumsum(curve.seconds_T) <= seconds * (1 + 1e-9))))
    by_then_T = curve.reward_T[:steps]
    return steps, float(by_then_T[-_WINDOW:].mean()), float(curve.reward_T[-_WINDOW:].mean())
