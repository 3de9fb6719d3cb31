"""The arms of a race with what their trials' records say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verirank.config import MEASURES_NOTHING, InputError, TrialConfig
from verirank.record import Run, SamplesIncompleteError, bench_samples
from verirank.statistics import RaceDecision, accuracies, by_groups, macro_accuracies
from verirank.study._arm import Arm
from verirank.study._definition import Study
from verirank.study._trial_state import TrialState, read_state
from verirank.trial import Store

_Values = NDArray[np.float64]


NO_DECISION = RaceDecision(0, (), None, {}, {}, {}, ())
"""Of a race from which all arms are out."""


@dataclass
class RaceField:
    """The arms of a race, each at its learning rate.

    A trial that failed by its own fault scores as the study's `failed_runs` says. One that is not
    done, or that the machine failed, has no score yet. One that measures nothing (wrong input, a
    method that fails its checks) never will: its arm is out of the race.
    """

    study: Study
    store: Store
    rates: Mapping[Arm, float]
    _values: dict[Path, tuple[_Values, _Values]] = field(default_factory=dict)

    def trials(self, arm: Arm, seeds: int) -> dict[Path, TrialConfig]:
        """Return the trials of an arm's first seeds by their folders."""
        trials = [arm.trial(seed, self.rates[arm]) for seed in self.study.seeds[:seeds]]
        return {self.store.trial(trial): trial for trial in trials}

    def first_trials(self, seeds: Mapping[Arm, int]) -> dict[Path, TrialConfig]:
        """Return the trials of each arm's first seeds, all arms' first seed first."""
        trials = [list(self.trials(arm, most).items()) for arm, most in seeds.items()]
        return {
            folder: trial
            for at in range(max(map(len, trials), default=0))
            for own in trials
            for folder, trial in own[at : at + 1]
        }

    def scores(self) -> dict[str, _Values]:
        """Return by each arm's name the values of its first seeds, as many as are known, S x P.

        Arms of which a trial measures nothing are left out.

        Raises:
            InputError: the samples of a trial that is done are damaged.
        """
        known = {arm.name: self._leading(arm) for arm in self.rates if not self.unmeasured(arm)}
        done = next((run for runs in known.values() for run in runs if run), None)
        if done is None:
            return {name: np.zeros((0, 0)) for name in known}
        base_P = done[0]
        failed_P = base_P if self.study.failed_runs == "base" else np.zeros_like(base_P)
        return {
            name: np.stack([run[1] if run else failed_P for run in runs])
            if runs
            else np.zeros((0, 0))
            for name, runs in known.items()
        }

    def unmeasured(self, arm: Arm) -> int:
        """Return how many first trials ended of an arm of which one measures nothing; else 0."""
        ended = list(takewhile(lambda one: one.has_ended, self._states(arm)))
        return len(ended) if any(map(_measures_nothing, ended)) else 0

    def _states(self, arm: Arm) -> Iterator[TrialState]:
        return (read_state(Run(one)) for one in self.trials(arm, self.study.race.looks[-1]))

    def _leading(self, arm: Arm) -> list[tuple[_Values, _Values] | None]:
        """Return the values of an arm's seeds until the first unknown one; None of failed ones."""
        values: list[tuple[_Values, _Values] | None] = []
        for folder in self.trials(arm, self.study.race.looks[-1]):
            stands = read_state(Run(folder))
            if stands.state == "done":
                values.append(self._read(folder))
            elif stands.failed_for_good:
                values.append(None)
            else:
                break
        return values

    def _read(self, folder: Path) -> tuple[_Values, _Values]:
        """Return the values of a trial's problems before and after training."""
        if folder not in self._values:
            run = Run(folder)
            try:
                samples = [bench_samples(run, one) for one in run.config.evaluation.benches]
            except (OSError, SamplesIncompleteError) as error:
                raise InputError(
                    f"{folder}: {error}; without its folder it is trained again"
                ) from None
            before, after = (
                [
                    by_groups(accuracies(one[None]), s.groups)
                    for one, s in zip(stage, samples, strict=True)
                ]
                for stage in zip(*((s.before_PK, s.after_PK) for s in samples), strict=True)
            )
            self._values[folder] = _over_benches(before), _over_benches(after)
        return self._values[folder]

    def asked(self, decision: RaceDecision) -> dict[Path, TrialConfig]:
        """Return every trial that the race has compared, or needs for its next look."""
        going_on = set(decision.going_on)
        return self.first_trials(
            {
                arm: decision.seeds if arm.name in going_on else self.taken(arm, decision)
                for arm in self.rates
            }
        )

    def compared(self, decision: RaceDecision) -> dict[Path, TrialConfig]:
        """Return every trial that the race has compared."""
        return self.first_trials({arm: self.taken(arm, decision) for arm in self.rates})

    def taken(self, arm: Arm, decision: RaceDecision) -> int:
        """Return the number of seeds that an arm had when it was compared last, or went out."""
        return self.unmeasured(arm) or seeds_of(arm.name, decision)

    def can_afford(self, asked: Mapping[Path, TrialConfig]) -> bool:
        """Return whether the budget allows these trials, if those to come take the mean time."""
        limit = self.study.race.limit
        known = [hours for folder in asked if (hours := hours_of(folder)) is not None]
        if limit is None or not known:
            return True
        return limit.allows(len(asked), sum(known) / len(known) * len(asked))


def _measures_nothing(stands: TrialState) -> bool:
    return stands.state == "failed" and stands.manifest.get("failure_kind") in MEASURES_NOTHING


def _over_benches(values: list[_Values]) -> _Values:
    """Return the values of one run's problems, of several benches those of their mean."""
    return (values[0] if len(values) == 1 else macro_accuracies(values))[0]


def seeds_of(arm: str, decision: RaceDecision) -> int:
    """Return the number of seeds with which an arm was compared last."""
    return max((look.seeds for look in decision.looks if arm in look.means), default=0)


def hours_of(folder: Path) -> float | None:
    """Return the hours that a trial took to train and to score; None where it is not done."""
    stands = read_state(Run(folder))
    if stands.state != "done":
        return None
    seconds = stands.manifest.get("seconds", 0.0) + stands.manifest.get("seconds_evaluate", 0.0)
    return seconds / 3600
