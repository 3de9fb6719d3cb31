"""How a study stands, read from its folder alone: from another terminal, or another machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from verirank.config import InputError, by_dotted_key
from verirank.record import Role, Run, TrialEntry, is_held, read_trial_list, step_seconds
from verirank.study._definition import LOCK, Study, open_study
from verirank.study._search import expected_work, search_end, search_ends

State = Literal[
    "waiting",
    "running",
    "interrupted",
    "paused",
    "searched",
    "pruned",
    "stopped",
    "failed",
    "done",
]
ENDED = frozenset({"done", "searched", "pruned", "failed"})
"""States that a trial leaves only if it is run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStatus:
    """A trial as its folder shows it now.

    `seconds` counts the steps taken, `seconds_evaluate` the scores of one that is done; `rewards`
    holds the mean reward of every step, where the trial is under way. `score` is its latest Avg@k:
    the mean over its benches where it is done, on the search's bench where it was searched. `axes`
    are its own values of the study's axes, once it has a folder.
    """

    id: str
    role: Role
    method: str
    seed: int
    learning_rate: float
    state: State
    step: int = 0
    steps: int
    seconds: float = 0.0
    seconds_evaluate: float = 0.0
    rewards: tuple[float, ...] = ()
    score: float | None = None
    error: str | None
    last_lines: tuple[str, ...] = ()
    axes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """All trials of a study, and the seconds that remain at the speed so far, where it is known.

    `is_run` tells that a process of this machine runs it now.
    """

    name: str
    protocol: str
    trials: tuple[TrialStatus, ...]
    eta_seconds: float | None
    is_run: bool

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come.

        Between a search and the ranking after it no trial is left, but the study is still run.
        """
        return not self.is_run and all(trial.state in ENDED for trial in self.trials)

    def count(self, state: State) -> int:
        """Return how many trials are in a state."""
        return sum(trial.state == state for trial in self.trials)


def study_status(out: Path) -> StudyStatus:
    """Return how the study in a folder stands.

    Raises:
        InputError: the folder holds no study.
    """
    study, listed = open_study(out), read_trial_list(out)
    if listed is None:
        raise InputError(f"the study in {out} has not listed its trials yet")
    listed.expect_store(out)
    ends = search_ends(out)
    axes = tuple(study.axes)
    trials = tuple(_readable(Run(listed.folder(e)), e, ends, axes) for e in listed.entries)
    eta, is_run = _eta(trials, study), is_held(out / LOCK)
    return StudyStatus(study.name, study.protocol, trials, eta, is_run)


def _readable(
    run: Run, entry: TrialEntry, ends: Mapping[str, int], axes: tuple[str, ...]
) -> TrialStatus:
    """Return how a trial stands; one of which a file is damaged has failed, and says so."""
    try:
        return _status(run, entry, ends, axes)
    except InputError as error:
        return TrialStatus(**_listed(entry), state="failed", error=str(error))


def _listed(entry: TrialEntry) -> dict[str, Any]:
    """Return what a study's list tells of a trial, by its names in `TrialStatus`."""
    names = ("id", "role", "method", "seed", "learning_rate", "steps")
    return {name: getattr(entry, name) for name in names}


@cache
def _values(folder: Path, axes: tuple[str, ...]) -> dict[str, Any]:
    """Return a run's values of dotted keys, which never change, so that watching reads them once.

    A key that its method has not is left out.
    """
    settings = by_dotted_key(Run(folder).settings)
    return {key: settings[key] for key in axes if key in settings}


def _status(
    run: Run, entry: TrialEntry, ends: Mapping[str, int], axes: tuple[str, ...]
) -> TrialStatus:
    manifest = run.manifest
    state = _state(run, manifest)
    if entry.role == "search" and state in ("paused", "stopped", "interrupted"):
        # One that was killed or stopped once it had its score owes nothing more.
        state = search_end(run, entry.steps, ends) or state
    lines = [] if state in {"waiting", "done"} else run.metrics()
    seconds = sum(map(step_seconds, lines))
    return TrialStatus(
        **_listed(entry),
        state=state,
        step=entry.steps if state == "done" else lines[-1]["step"] if lines else 0,
        seconds=manifest.get("seconds", 0.0) if state == "done" else seconds,
        seconds_evaluate=manifest.get("seconds_evaluate", 0.0) if state == "done" else 0.0,
        rewards=tuple(line["reward_mean"] for line in lines),
        score=_score(run, entry, state),
        error=manifest.get("error"),
        last_lines=tuple(run.last_lines()) if state == "failed" else (),
        axes=_values(run.folder, axes) if axes and manifest else {},
    )


def _score(run: Run, entry: TrialEntry, state: State) -> float | None:
    if entry.role == "search":
        return next((found["avg_at_k"] for found in reversed(run.selection.values())), None)
    if state != "done" or not (run.folder / "eval.json").is_file():
        return None
    return mean(found["avg_at_k"] for found in run.scores.values())


def _state(run: Run, manifest: dict[str, Any]) -> State:
    status = manifest.get("status", "waiting")
    if status != "running":
        return status
    if run.is_being_written:
        return "running"
    return "interrupted" if run.metrics() else "waiting"


def _eta(trials: Sequence[TrialStatus], study: Study) -> float | None:
    """Return the seconds left, over the trials that run now.

    Steps that are left take the mean of their method's so far, or else of all methods', and scores
    the mean of the trials done.
    """
    speeds: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.seconds and trial.step:
            speeds[trial.method].append(trial.seconds / trial.step)
    if not speeds:
        return None
    usual = mean(speed for some in speeds.values() for speed in some)
    scored = [trial.seconds_evaluate for trial in trials if trial.seconds_evaluate]
    running = [trial for trial in trials if trial.state == "running"]
    searched = [trial for trial in trials if trial.role == "search"]
    ranked = [t for t in trials if t.role != "search" and t.state not in ENDED]
    seconds = _left_of(searched, study) * usual
    for trial in ranked:
        if trial.role != "rescored":
            seconds += (trial.steps - trial.step) * mean(speeds.get(trial.method, [usual]))
    seconds += len(ranked) * mean(scored or [0.0])
    return seconds / max(1, len(running))


def _left_of(searched: Sequence[TrialStatus], study: Study) -> float:
    """Return the steps that are expected of a search, and of the ranked trials that follow it."""
    if not any(trial.state not in ENDED for trial in searched):
        return 0.0
    expected = sum(expected_work(trial.steps, study.search)[0] for trial in searched)
    follow = sum(trial.steps for trial in searched) / study.search.learning_rates
    left = expected - sum(trial.step for trial in searched)
    return max(0.0, left) + follow * len(study.seeds)
