"""How a study stands, read from its folder alone: from another terminal, or another machine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

from verirank.config import InputError, by_dotted_key
from verirank.record import (
    DamagedError,
    Role,
    Run,
    TrialEntry,
    is_held,
    read_race,
    read_trial_list,
)
from verirank.study._definition import LOCK, Study, open_study
from verirank.study._search_record import pruned_trials
from verirank.study._trial_state import ENDED, State, TrialState, read_state


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStatus:
    """A trial as its folder shows it now.

    `seconds` counts the steps taken, `seconds_during` the scores taken between them, and
    `seconds_evaluate` all scores, these too, of one that is done; `rewards` holds the mean reward
    of every step, where the trial is under way. `score` is its latest Avg@k: the mean over its
    benches where it is done, on the search's bench where it was searched. `axes` are its own values
    of the study's axes, once it has a folder.
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
    seconds_during: float = 0.0
    rewards: tuple[float, ...] = ()
    score: float | None = None
    error: str | None
    last_lines: tuple[str, ...] = ()
    axes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RaceStatus:
    """How a race stands: after which look, which arms are in it, and how the others ended.

    `looks` counts the looks taken, `next_look` are the seeds of the next one and `ends` the arms by
    their end: racing, leader, behind, equal, open or budget.
    """

    looks: int
    next_look: int
    leader: str | None
    ends: dict[str, tuple[str, ...]]
    is_over: bool


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """All trials of a study, and the seconds that remain at the speed so far, where it is known.

    `is_run` tells that a process of this machine runs it now. The trials of a race are those until
    its next look, and so is the time that remains.
    """

    name: str
    protocol: str
    trials: tuple[TrialStatus, ...]
    eta_seconds: float | None
    is_run: bool
    race: RaceStatus | None = None

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
    pruned = pruned_trials(out)
    axes = tuple(study.axes)
    trials = tuple(_status(Run(listed.folder(e)), e, pruned, axes) for e in listed.entries)
    eta, is_run = _eta(trials, study), is_held(out / LOCK)
    return StudyStatus(study.name, study.protocol, trials, eta, is_run, _race_status(out))


def _race_status(out: Path) -> RaceStatus | None:
    """Return how a race stands; None before its first seeds are chosen, or where there is none."""
    race = read_race(out)
    if race is None:
        return None
    methods = Counter(arm["method"] for arm in race["arms"])
    ends: dict[str, tuple[str, ...]] = {}
    names = {a["id"]: a["method"] if methods[a["method"]] == 1 else a["id"] for a in race["arms"]}
    for arm in race["arms"]:
        ends[arm["end"]] = (*ends.get(arm["end"], ()), names[arm["id"]])
    return RaceStatus(
        looks=len(race["decisions"]),
        next_look=race["next_look"],
        leader=names.get(race["leader"]),
        ends=ends,
        is_over=race["is_over"],
    )


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
    run: Run, entry: TrialEntry, pruned: frozenset[str], axes: tuple[str, ...]
) -> TrialStatus:
    stands = read_state(run, entry, pruned)
    done = stands.state == "done"
    try:
        score, values = _score(run, entry, stands), {}
        if axes and stands.manifest:
            values = _values(run.folder, axes)
    except DamagedError as error:
        return TrialStatus(**_listed(entry), state="failed", error=str(error))
    return TrialStatus(
        **_listed(entry),
        state=stands.state,
        step=stands.step(entry.steps),
        seconds=stands.manifest.get("seconds", 0.0) if done else stands.seconds,
        seconds_evaluate=stands.manifest.get("seconds_evaluate", 0.0) if done else 0.0,
        seconds_during=stands.seconds_during,
        rewards=tuple(line["reward_mean"] for line in stands.metrics),
        score=score,
        error=stands.error,
        last_lines=tuple(run.last_lines()) if stands.state == "failed" else (),
        axes=values,
    )


def _score(run: Run, entry: TrialEntry, stands: TrialState) -> float | None:
    if stands.is_damaged:
        return None
    if entry.role == "search":
        return next((scores["avg_at_k"] for scores in reversed(run.selection.values())), None)
    if stands.state != "done" or not run.scores:
        return None
    return mean(scores["avg_at_k"] for scores in run.scores.values())


def _eta(trials: Sequence[TrialStatus], study: Study) -> float | None:
    """Return the seconds left, over the trials that run now.

    Steps that are left, with the scores between them, take the mean of their method's so far, or
    else of all methods', and scores at the end the mean of the trials done.
    """
    speeds: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.seconds and trial.step:
            speeds[trial.method].append((trial.seconds + trial.seconds_during) / trial.step)
    if not speeds:
        return None
    usual = mean(speed for some in speeds.values() for speed in some)
    scored = [t.seconds_evaluate - t.seconds_during for t in trials if t.seconds_evaluate]
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
    """Return the most steps that a search still takes, and those of the ranking after it."""
    left = sum(trial.steps - trial.step for trial in searched if trial.state not in ENDED)
    if not left:
        return 0.0
    trials_an_arm = study.search.learning_rates * len(study.search.seeds)
    follow = sum(trial.steps for trial in searched) / trials_an_arm
    return left + follow * len(study.seeds)
