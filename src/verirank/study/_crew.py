"""Takes trials to where they are to go, whatever the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from verirank.config import TrialConfig
from verirank.models import load_shape
from verirank.planning import usual_lengths, work_of
from verirank.record import Run
from verirank.study._trial_state import read_state
from verirank.study.executors._jobs import Executor, Job, Outcome
from verirank.trial import Rung, Store


class Crew:
    """Takes trials to where they are to go: creates and executes what is not there."""

    def __init__(
        self, store: Store, executor: Executor, retry_failed: bool, on_poll: Callable[[], None]
    ) -> None:
        self.store = store
        self._executor = executor
        self._retry_failed = retry_failed
        self._on_poll = on_poll

    def take(self, trials: Mapping[Path, TrialConfig], rung: Rung | None) -> list[Outcome]:
        """Take trials, by their folders, to a rung or their end; return an outcome each."""
        outcomes = {folder: self._outcome(folder, rung) for folder in trials}
        todo = {folder: trial for folder, trial in trials.items() if outcomes[folder] is None}
        for folder, trial in todo.items():
            self.store.start(trial, folder)
        jobs = [Job(folder, self.store.folder, rung) for folder in _most_work_first(todo)]
        if jobs:
            outcomes |= {o.folder: o for o in self._executor.run(jobs, self._on_poll)}
        return [outcome for outcome in outcomes.values() if outcome is not None]

    def _outcome(self, folder: Path, rung: Rung | None) -> Outcome | None:
        """Return how a trial ended, or None where it has still to run."""
        stands = read_state(Run(folder))
        if stands.is_damaged:  # the others go on
            return Outcome(folder, f"{stands.error}; without its folder it is trained again")
        if stands.reached(rung):
            return Outcome(folder, None)
        if stands.failed_for_good and not self._retry_failed:
            return Outcome(folder, str(stands.error), for_good=True)
        return None


def _most_work_first(trials: Mapping[Path, TrialConfig]) -> list[Path]:
    """Return the folders by planned FLOPs, the most first: no long trial runs alone at the end."""
    flops = dict[str, float]()

    def work(trial: TrialConfig) -> float:
        # Trials that differ in seed and rate alone cost the same; a task may be a file to read.
        key = trial.model_dump_json(exclude={"seed": True, "method": {"learning_rate"}})
        if key not in flops:
            flops[key] = work_of(trial, load_shape(trial.model), usual_lengths(trial)).flops
        return flops[key]

    return sorted(trials, key=lambda folder: (-work(trials[folder]), folder))
