"""The leaderboard at equal training time and at equal trainable parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import fmean

import numpy as np

from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.arms import ArmRuns
from verirank.record import Curve, as_row, write_json
from verirank.study import MATCHED_WITHIN

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
    views = [_at(arm.label, arm.curves, seconds) for arm in trained]
    return sorted(views, key=lambda view: -view.reward)


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


@dataclass(frozen=True, slots=True)
class EqualParameters:
    """A method's arm with about as many trainable parameters as LoRA's, and its difference to it.

    `ratio` is of its parameters to LoRA's. `difference` is in Avg@k on the main bench, a fraction
    of 1, as the ranking tests it, with its 95 % interval; None for LoRA itself, and where there is
    no test of the two.
    """

    label: str
    trainable_parameters: int
    ratio: float
    avg_at_k: float
    difference: float | None
    low: float | None
    high: float | None


def at_equal_parameters(board: Leaderboard) -> list[EqualParameters]:
    """Return LoRA's arm and every method's nearest to it in parameters, best score first.

    Of LoRA's arms it is the one that most methods have a match for, within a quarter, and that has
    no other setting beside the method's own than they have. No score decides what is matched.
    """
    arms = [arm for arm in board.arms if board.other(arm.label, board.benches[0])]
    loras = [arm for arm in arms if arm.method == "lora"]
    fields = [[lora, *_matches(board, lora, arms)] for lora in loras]
    best = max(fields, key=lambda field: (len(field), -len(field[0].label)), default=[])
    if len(best) < 2:
        return []
    views = (_beside(board, arm, best[0]) for arm in best)
    return sorted(views, key=lambda view: -view.avg_at_k)


def _matches(board: Leaderboard, lora: ArmRuns, arms: Sequence[ArmRuns]) -> list[ArmRuns]:
    """Return of every other method the arm that is nearest to a LoRA arm, if it is near."""
    nearest: dict[str, tuple[float, int, ArmRuns]] = {}
    for arm in arms:
        if arm.method == "lora" or arm.other_settings != lora.other_settings:
            continue
        far = abs(log(_trainable(board, arm) / _trainable(board, lora)))
        entry = (far, len(arm.label), arm)
        if far <= log(MATCHED_WITHIN) and entry[:2] < nearest.get(arm.method, (far + 1, 0))[:2]:
            nearest[arm.method] = entry
    return [arm for _, _, arm in nearest.values()]


def _trainable(board: Leaderboard, arm: ArmRuns) -> int:
    row = board.other(arm.label, board.benches[0])
    assert row is not None  # only arms of the main bench are compared
    return row.trainable_parameters


def _beside(board: Leaderboard, arm: ArmRuns, lora: ArmRuns) -> EqualParameters:
    row = board.other(arm.label, board.benches[0])
    assert row is not None
    pair = board.main_tests.pair(arm.label, lora.label)
    return EqualParameters(
        label=row.label,
        trainable_parameters=row.trainable_parameters,
        ratio=row.trainable_parameters / _trainable(board, lora),
        avg_at_k=row.avg_at_k,
        difference=pair.difference if pair else None,
        low=pair.low if pair else None,
        high=pair.high if pair else None,
    )


@dataclass(frozen=True, slots=True)
class Views:
    """The arms of a board matched by training time, and by trainable parameters."""

    time: list[EqualTime]
    parameters: list[EqualParameters]

    def write(self, folder: Path) -> None:
        """Write equal_time.json and equal_parameters.json."""
        for name, views in (("time", self.time), ("parameters", self.parameters)):
            write_json(folder / f"equal_{name}.json", [as_row(view) for view in views])
