"""What the base's own answers show, as soon as a study's first trial has sampled them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from verirank.config import TrialConfig
from verirank.models import load_shape
from verirank.record import read_trial_list
from verirank.study._definition import Study
from verirank.trial import Store, expected_cost, read_base_outlook


class FirstLook:
    """Reports the base's answers to the first training problems of a study, each once.

    Trials share these answers, and the first trial that needs them samples them.

    Args:
        study: the study that is being run.
        out: its folder.
    """

    def __init__(self, study: Study, out: Path) -> None:
        self._study, self._out = study, out
        self._missing: dict[Path, TrialConfig] | None = None

    def lines(self) -> Iterator[str]:
        """Yield, for the user, what is there now and was not at the last call."""
        if self._missing is None:
            self._missing = self._expected()
        for folder, trial in list(self._missing.items()):
            outlook = read_base_outlook(folder)
            if outlook is None:
                continue
            del self._missing[folder]
            cost = expected_cost(trial, load_shape(trial.model), outlook)
            yield str(outlook)
            yield f"expected of each trial of {trial.method.name}: {cost}"

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
