"""The same runs seen at equal training time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean
from typing import Any

from verirank.record import step_seconds
from verirank.report.leaderboard import Leaderboard

_WINDOW = 10
_Lines = list[dict[str, Any]]


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
    steps = {arm.label: [run.metrics() for run in arm.runs] for arm in board.arms}
    found = [_at(label, lines, seconds) for label, lines in steps.items() if all(lines)]
    return sorted(found, key=lambda view: -view.reward)


def _at(label: str, runs: Sequence[_Lines], seconds: float) -> EqualTime:
    reached = [_reached(lines, seconds) for lines in runs]
    return EqualTime(
        label=label,
        seconds=seconds,
        steps=fmean(steps for steps, _, _ in reached),
        reward=fmean(reward for _, reward, _ in reached),
        reward_in_full=fmean(last for _, _, last in reached),
    )


def _reached(lines: _Lines, seconds: float) -> tuple[int, float, float]:
    """Return the steps taken within a time, the reward then, and the reward at the end."""
    rewards = [line["reward_mean"] for line in lines]
    spent = accumulate(map(step_seconds, lines))
    steps = max(1, sum(so_far <= seconds * (1 + 1e-9) for so_far in spent))
    return steps, fmean(rewards[:steps][-_WINDOW:]), fmean(rewards[-_WINDOW:])
