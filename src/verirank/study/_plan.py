"""What a study will run: its trials, what each costs, and what is there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verirank.config import TrialConfig
from verirank.record import Role, Run, read_trial_list, usable_cores
from verirank.study._cost import Source, Speed, measured_speed, probe_speed
from verirank.study._definition import SearchConfig, Study, with_learning_rate, with_seed
from verirank.study._search import candidates, rungs, search_arms, search_ends, search_state
from verirank.study._store import Store, trial_id


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial to come or done already.

    `id` and `learning_rate` are None where a search has still to find the rate. `seconds` are those
    of the whole trial on one core; in a search, what is expected of a trial that may be pruned.
    """

    id: str | None
    role: Role
    method: str
    seed: int
    learning_rate: float | None
    steps: int
    state: str
    seconds: float | None
    source: Source


@dataclass(frozen=True, slots=True)
class Plan:
    """A study's trials and how many run side by side on this machine."""

    name: str
    protocol: str
    processes: int
    trials: tuple[PlannedTrial, ...]

    def totals(self) -> dict[str, float | int | None]:
        """Return how many trials there are and are done, and the seconds of those left."""
        left = [t.seconds for t in self.trials if t.state not in {"done", "pruned", "searched"}]
        seconds = None if None in left else sum(s for s in left if s is not None)
        return {
            "total": len(self.trials),
            "done": len(self.trials) - len(left),
            "core_seconds_left": seconds,
            "wall_seconds_left": None if seconds is None else seconds / self.processes,
        }


def plan_study(
    study: Study, *, out: Path | None = None, store: Path | None = None, probe: bool = True
) -> Plan:
    """Return the plan of a study.

    Args:
        study: the question.
        out: the folder that it runs in, if it was begun.
        store: the folder of its trials, if it is not OUT/trials.
        probe: measure a few steps of every arm that nothing is known of, where its model is here.

    Raises:
        InputError: a method, key or value is wrong.
    """
    listed = read_trial_list(out) if out else None
    place = Store(store or (listed.store if listed else (out or Path()) / "trials"))
    trials: list[PlannedTrial] = []
    winners, ends = _winners(out), search_ends(out) if out else {}
    for arm in study.arms():
        rate = winners.get(trial_id(arm)) if study.protocol == "fair" else arm.method.learning_rate
        ranked = {seed: _look_up(arm, seed, rate, place) for seed in study.seeds}
        speeds = [found.speed for found in ranked.values() if found.speed]
        probed = probe_speed(arm) if probe and not speeds else None
        known = _Known(speeds[0], "another seed") if speeds else _Known(probed, "probe")
        if study.protocol == "fair":
            trials += _search_trials(arm, study.search, place, known, ends)
        trials += [_ranked(arm, seed, rate, found, known) for seed, found in ranked.items()]
    return Plan(study.name, study.protocol, usable_cores(), tuple(trials))


@dataclass(frozen=True, slots=True)
class _Known:
    """A speed, and where it is known from."""

    speed: Speed | None
    source: Source

    def seconds(self, steps: float, benches: float) -> tuple[float | None, Source]:
        if self.speed is None:
            return None, "unknown"
        return self.speed.seconds(steps, benches), self.source


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store holds of a trial."""

    id: str | None
    state: str
    speed: Speed | None


def _look_up(arm: TrialConfig, seed: int, rate: float | None, store: Store) -> _Found:
    if rate is None:
        return _Found(None, "waiting", None)
    name = trial_id(with_seed(with_learning_rate(arm, rate), seed))
    manifest = Run(store.folder / name).manifest
    return _Found(name, manifest.get("status", "waiting"), measured_speed(manifest, arm))


def _winners(out: Path | None) -> dict[str, float]:
    """Return the rate that a finished search found, by arm."""
    arms = search_arms(out) if out else []
    return {arm["id"]: arm["winner"] for arm in arms if arm["winner"] is not None}


def _ranked(
    arm: TrialConfig, seed: int, rate: float | None, found: _Found, known: _Known
) -> PlannedTrial:
    if found.speed:
        known = _Known(found.speed, "measured")
    steps = arm.training.steps
    seconds, source = known.seconds(steps, len(arm.evaluation.benches))
    return PlannedTrial(
        found.id, "ranked", arm.method.name, seed, rate, steps, found.state, seconds, source
    )


def _state_in_search(run: Run, trial: TrialConfig, ends: Mapping[str, int]) -> str:
    status = run.manifest.get("status", "waiting")
    return search_state(run, trial.training.steps, ends) if status == "paused" else status


def _search_trials(
    arm: TrialConfig, search: SearchConfig, store: Store, known: _Known, ends: Mapping[str, int]
) -> list[PlannedTrial]:
    at = rungs(arm.training.steps, search)
    # One trial in `reduction` is expected to reach each further rung.
    share = [search.reduction**-number for number in range(len(at))]
    lengths = [b - a for a, b in zip([0, *at], at, strict=False)]
    steps = sum(part * length for part, length in zip(share, lengths, strict=True))
    seconds, source = known.seconds(steps, sum(share))
    return [
        PlannedTrial(
            id=store.name_of(store.search_trial(trial, search)),
            role="search",
            method=arm.method.name,
            seed=trial.seed,
            learning_rate=trial.method.learning_rate,
            steps=trial.training.steps,
            state=_state_in_search(Run(store.search_trial(trial, search)), trial, ends),
            seconds=seconds,
            source=source,
        )
        for trial in candidates(arm, search)
    ]
