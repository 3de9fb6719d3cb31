"""What each arm forgot, with intervals over passages and seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.arms import ArmRuns
from verirank.record import write_table
from verirank.statistics import bootstrap_mean, fixed_generator


@dataclass(frozen=True, slots=True)
class Retained:
    """An arm's loss on held-out text before and after training, nats a token, means over seeds.

    `change` is after less before, above 0 where something was forgotten; `low` and `high` bound its
    95 % interval over passages and seeds. `kl` is the policy's KL from the base on its own
    completions, nats a token, with its interval over problems and seeds.
    """

    label: str
    text: str
    before: float
    after: float
    change: float
    low: float
    high: float
    kl: float
    kl_low: float
    kl_high: float
    seeds: int


def measure_retained(board: Leaderboard) -> list[Retained]:
    """Return what the arms forgot, best arm first; arms with a run that did not measure it are out.

    Runs that failed are left out.
    """
    rows = [_retained(arm) for arm in board.ordered_arms]
    return [row for row in rows if row is not None]


def _retained(arm: ArmRuns) -> Retained | None:
    runs = [run.retention for run in arm.runs if run.seed not in arm.failed]
    if not runs or not all(runs):
        return None
    before_SP, after_SP, kl_SP = (
        np.array([run[key] for run in runs]) for key in ("before", "after", "kl")
    )
    change, kl = (
        bootstrap_mean(values_SP, fixed_generator()) for values_SP in (after_SP - before_SP, kl_SP)
    )
    return Retained(
        label=arm.label,
        text=runs[0]["text"],
        before=float(before_SP.mean()),
        after=float(after_SP.mean()),
        change=change.mean,
        low=change.low,
        high=change.high,
        kl=kl.mean,
        kl_low=kl.low,
        kl_high=kl.high,
        seeds=len(runs),
    )


def write_retained(rows: list[Retained], folder: Path) -> None:
    """Write retention.json and retention.csv; without a row there are none."""
    written = [asdict(row) for row in rows]
    write_table(folder, "retention", written, written)
