"""What a study will run: its trials, what each costs, and what is there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verirank.config import TrialConfig
from verirank.record import Role, Run, read_trial_list, usable_cores
from verirank.study._cost import Source, Speed, measured_speed, probe_speed
from verirank.study._definition import SearchConfig, Study, with_learning_rate, with_seed
from verirank.study._search import candidates, rungs
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
        left = [t.seconds for t in self.trials if t.state not in {"done", "pruned"}]
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
    winners = _winners(out)
    for arm in study.arms():
        ranked = arm
        if study.protocol == "fair":
            rate = winners.get(trial_id(arm))
            ranked = None if rate is None else with_learning_rate(arm, rate)
        speed, source = _speed(arm, ranked, study.seeds, place, probe)
        if study.protocol == "fair":
            trials += _search_trials(arm, study.search, place, speed, source)
        trials += [_ranked(arm, ranked, seed, place, speed, source) for seed in study.seeds]
    return Plan(study.name, study.protocol, usable_cores(), tuple(trials))


def _winners(out: Path | None) -> dict[str, float]:
    """Return the rate that a finished search found, by arm."""
    path = out / "search.json" if out else None
    if path is None or not path.is_file():
        return {}
    arms = json.loads(path.read_text("utf-8"))["arms"]
    return {arm["id"]: arm["winner"] for arm in arms if arm["winner"] is not None}


def _speed(
    arm: TrialConfig,
    ranked: TrialConfig | None,
    seeds: Sequence[int],
    store: Store,
    probe: bool,
) -> tuple[Speed | None, Source]:
    for seed in seeds:
        if ranked and (speed := measured_speed(Run(store.trial(with_seed(ranked, seed))))):
            return speed, "another seed"
    speed = probe_speed(arm) if probe else None
    return speed, "probe" if speed else "unknown"


def _ranked(
    arm: TrialConfig,
    ranked: TrialConfig | None,
    seed: int,
    store: Store,
    speed: Speed | None,
    source: Source,
) -> PlannedTrial:
    trial = with_seed(ranked, seed) if ranked else None
    run = Run(store.trial(trial)) if trial else None
    own = measured_speed(run) if run else None
    if own:
        speed, source = own, "measured"
    steps, benches = arm.training.steps, len(arm.evaluation.benches)
    return PlannedTrial(
        id=trial_id(trial) if trial else None,
        role="ranked",
        method=arm.method.name,
        seed=seed,
        learning_rate=trial.method.learning_rate if trial else None,
        steps=steps,
        state=_state(run),
        seconds=speed.seconds(steps, benches) if speed else None,
        source=source,
    )


def _search_trials(
    arm: TrialConfig, search: SearchConfig, store: Store, speed: Speed | None, source: Source
) -> list[PlannedTrial]:
    at = rungs(arm.training.steps, search)
    # One trial in `reduction` is expected to reach each further rung.
    share = [search.reduction**-number for number in range(len(at))]
    lengths = [b - a for a, b in zip([0, *at], at, strict=False)]
    steps = sum(part * length for part, length in zip(share, lengths, strict=True))
    return [
        PlannedTrial(
            id=trial_id(trial),
            role="search",
            method=arm.method.name,
            seed=trial.seed,
            learning_rate=trial.method.learning_rate,
            steps=trial.training.steps,
            state=_state(Run(store.trial(trial))),
            seconds=speed.seconds(steps, sum(share)) if speed else None,
            source=source,
        )
        for trial in candidates(arm, search)
    ]


def _state(run: Run | None) -> str:
    return run.manifest.get("status", "waiting") if run else "waiting"
