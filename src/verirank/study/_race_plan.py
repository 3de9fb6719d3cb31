"""What a race is expected to train, before it begins and while it is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verirank.config import TrialConfig
from verirank.record import read_race
from verirank.statistics import expected_runs
from verirank.study._definition import Study
from verirank.tasks import bench_settings, load_task

if TYPE_CHECKING:
    from verirank.study._arm import Arm

SEED_SD = 0.015
"""Between seeds of a method's true accuracy: what a plan takes for granted."""
SPREADS = (0.0, 0.02, 0.04)
"""SDs between the true means of methods that a plan tells the trials for."""
_VARIANCE = 0.2
"""Of one sample of a problem whose difficulty is usual."""


@dataclass(frozen=True, slots=True)
class RaceForecast:
    """The ranked trials of a race.

    Attributes:
        first: of its first look.
        most: if no arm stopped before the last look.
        spreads: SDs between the arms' true means, fractions of 1.
        trials: expected for each of the spreads, the first look's among them.
        seconds: the same in seconds of trials; None where those of some trial are not known.
        within: whether the budget allows them; None where there is no budget, or nothing is known.
    """

    first: int
    most: int
    spreads: tuple[float, ...]
    trials: tuple[float, ...]
    seconds: tuple[float, ...] | None
    within: tuple[bool, ...] | None


def forecast_race(
    study: Study, arms: Sequence[Arm], seconds: Sequence[float | None]
) -> RaceForecast | None:
    """Return what a study's race is expected to train; None where it is no race.

    Args:
        study: the race.
        arms: its arms.
        seconds: of each ranked trial that it may train.
    """
    if study.protocol != "race":
        return None
    design = study.race.design
    run_sd = _run_sd(arms[0].trial(study.seeds[0]))
    trials = tuple(expected_runs(len(arms), design, spread, run_sd) for spread in SPREADS)
    known = [one for one in seconds if one is not None]
    a_trial = sum(known) / len(known) if known and len(known) == len(seconds) else None
    limit = study.race.limit
    known_cost = limit is not None and (limit.unit == "trials" or a_trial is not None)
    return RaceForecast(
        first=len(arms) * design.looks[0],
        most=len(arms) * design.looks[-1],
        spreads=SPREADS,
        trials=trials,
        seconds=None if a_trial is None else tuple(a_trial * one for one in trials),
        within=tuple(limit.allows(round(one), one * (a_trial or 0.0) / 3600) for one in trials)
        if limit and known_cost
        else None,
    )


def _run_sd(trial: TrialConfig) -> float:
    """Return the SD of a run's score around its arm's mean, by seeds and by samples."""
    bench = bench_settings(load_task(trial.task), trial.evaluation.benches[0], trial)
    return (SEED_SD**2 + _VARIANCE / (bench.problems * bench.samples)) ** 0.5


def seeds_to_come(study: Study, out: Path | None) -> dict[str, int]:
    """Return by the name of each arm that has left a race how many seeds it was trained with."""
    race = read_race(out) if out and study.protocol == "race" else None
    arms = race["arms"] if race else []
    return {arm["id"]: arm["seeds"] for arm in arms if arm["end"] != "racing"}
