"""What the base's own answers show, as soon as a study's first trial has sampled them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from verirank.config import InputError, TrialConfig
from verirank.models import load_shape
from verirank.record import Run, duration, read_trial_list
from verirank.study._definition import Study
from verirank.trial import ExpectedCost, Store, expected_cost, read_base_outlook

_STEPS = 3
"""Steps that correct what is expected, after the first, which pays for what is built once."""
_CORRECTION = 1.25
"""By how much a time has to be wrong for its correction to be said."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What trials of a method were said to cost, by the base's samples in a folder."""

    method: str
    base_samples: Path
    cost: ExpectedCost


class FirstLook:
    """Reports the base's answers to the first training problems of a study, each once.

    Trials share these answers, and the first trial that needs them samples them. How long trials
    take is said by these answers, and once more where the first steps show that to be wrong.

    Args:
        study: the study that is being run.
        out: its folder.
    """

    def __init__(self, study: Study, out: Path) -> None:
        self._study, self._out = study, out
        self._missing: dict[Path, TrialConfig] | None = None
        self._said: list[_Said] = []

    def lines(self) -> Iterator[str]:
        """Yield, for the user, what is there now and was not at the last call."""
        if self._missing is None:
            self._missing = self._expected()
        for folder, trial in list(self._missing.items()):
            outlook = read_base_outlook(folder)
            if outlook is None:
                continue
            del self._missing[folder]
            said = _Said(
                trial.method.name, folder, expected_cost(trial, load_shape(trial.model), outlook)
            )
            self._said.append(said)
            yield str(outlook)
            yield from outlook.remarks()
            yield f"expected of each trial of {said.method}: {said.cost}"
        for said in list(self._said):
            measured = self._measured(said)
            if measured is None:
                continue
            self._said.remove(said)
            wrong = measured.seconds / said.cost.seconds
            if not 1 / _CORRECTION < wrong < _CORRECTION:
                before = duration(said.cost.seconds)
                yield (
                    f"by the first steps, each trial of {said.method} takes {measured}, "
                    f"not {before}"
                )

    def _expected(self) -> dict[Path, TrialConfig]:
        """Return where the base's answers will be, with the first trial that needs them."""
        listed = read_trial_list(self._out)
        if listed is None:
            return {}
        store, trials = Store(listed.store), dict[Path, TrialConfig]()
        for arm in self._study.arms():
            trial = arm.trial(self._study.seeds[0])
            trials.setdefault(store.base_samples(trial), trial)
        return trials

    def _measured(self, said: _Said) -> ExpectedCost | None:
        """Return what a trial costs by the steps of the first that has taken enough."""
        listed = read_trial_list(self._out)
        if listed is None:
            return None
        for entry in listed.entries:
            if entry.method != said.method:
                continue
            with suppress(InputError, OSError):  # of a damaged run, which its trial will say
                run = Run(listed.folder(entry))
                steps = run.metrics()[1:]
                if len(steps) < max(1, min(_STEPS, entry.steps - 1)):
                    continue
                if Store(listed.store).base_samples(run.config) == said.base_samples:
                    return said.cost.corrected(steps)
        return None
