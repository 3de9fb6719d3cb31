"""What a study will run: its trials, what each costs, and what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verirank.config import ArmConfig, TrialConfig
from verirank.models import is_local
from verirank.planning import GPU, gpu
from verirank.record import Role, Run, read_trial_list
from verirank.study._arm import Arm
from verirank.study._confounds import control_trials, defective_trials
from verirank.study._cost import (
    Source,
    Speed,
    benches_during,
    estimated_speed,
    measured_speed,
    probe_speed,
)
from verirank.study._definition import (
    DEFINITION,
    SearchConfig,
    Study,
)
from verirank.study._equal_time import with_equal_time
from verirank.study._narrowing import rungs
from verirank.study._race_plan import RaceForecast, forecast_race, seeds_to_come
from verirank.study._search import search_trials
from verirank.study._search_record import pruned_trials, search_arms
from verirank.study._study_benches import expect_known_benches
from verirank.study._trial_state import TrialState, read_state
from verirank.study.executors._capacity import Capacity, gpus_here
from verirank.trial import Store, trial_entry, trial_id


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial to come or done already.

    `id` and `learning_rate` are None where a search has still to find the rate. `axes` are the
    arm's own values of the study's axes. `seconds` are those of the whole trial, on one core where
    they were measured and on a GPU where they are an estimate; in a search, where a trial may be
    dropped, they are the most that it takes. `step` of its `steps` are taken already. `ended` tells
    that a study that goes on does nothing more of it: it is done, or failed by its own fault.
    """

    id: str | None
    role: Role
    method: str
    seed: int
    learning_rate: float | None
    axes: dict[str, Any]
    step: int
    steps: int
    state: str
    ended: bool
    seconds: float | None
    source: Source

    @property
    def seconds_left(self) -> float | None:
        """The seconds that what is not done takes; None where nothing is known."""
        if self.ended:
            return 0.0
        return None if self.seconds is None else self.seconds * (1 - self.step / self.steps)


@dataclass(frozen=True, slots=True)
class Plan:
    """A study's trials and how many run side by side on this machine by default.

    `gpu` is the one that estimates are for. `unmatched` are methods that no rank brings near
    LoRA's parameters, in a study that solves ranks for that. `left_out` are methods that the study
    names but that have no trial, with the keys of the axes that they lack. `undropped` are
    methods whose search has no rung before the last step: every learning rate trains to the end.
    The trials of a race are all that it may train; `race` says how many are expected.
    """

    name: str
    protocol: str
    processes: int
    gpu: str
    trials: tuple[PlannedTrial, ...]
    unmatched: tuple[str, ...]
    left_out: dict[str, tuple[str, ...]]
    undropped: tuple[str, ...]
    race: RaceForecast | None = None

    def totals(self) -> dict[str, float | int | None]:
        """Return how many trials there are, are done and failed, and the seconds of what is left.

        Seconds of one core and of one GPU are summed apart; each is None where some are unknown.
        """
        left = [trial for trial in self.trials if not trial.ended]
        failed = sum(trial.ended and trial.state == "failed" for trial in self.trials)
        known = all(trial.seconds is not None for trial in left)
        core, on_gpu = (
            sum(t.seconds_left or 0.0 for t in left if (t.source == "estimate") is estimated)
            if known
            else None
            for estimated in (False, True)
        )
        return {
            "total": len(self.trials),
            "done": len(self.trials) - len(left) - failed,
            "failed": failed,
            "core_seconds_left": core,
            "wall_seconds_left": None if core is None else core / self.processes,
            "gpu_seconds_left": on_gpu,
        }


def plan_study(
    study: Study,
    *,
    out: Path | None = None,
    store: Path | None = None,
    probe: bool = True,
    on: str = "h100",
) -> Plan:
    """Return the plan of a study.

    Args:
        study: the question.
        out: the folder that it runs in, if it was begun.
        store: the folder of its trials, if it is not OUT/trials.
        probe: measure a few steps of every arm that nothing is known of, where its model is here.
        on: the GPU that seconds are estimated for, where its model is not here.

    Raises:
        InputError: a method, key, value or bench is wrong, or the GPU is not known.
    """
    device = gpu(on)
    listed = read_trial_list(out) if out else None
    trial_store = Store(store or (listed.store if listed else (out or Path()) / "trials"))
    trials: list[PlannedTrial] = []
    winners, pruned = _winners(out), pruned_trials(out) if out else frozenset()
    if probe or (out and (out / DEFINITION).is_file()):
        study = with_equal_time(study, out)
    arms = study.arms()
    expect_known_benches(arms, study)
    solved = {"parameters": ["method.rank"], "time": ["training.steps"]}.get(study.match, [])
    keys = dict.fromkeys((*study.axes, *solved))
    stopped = seeds_to_come(study, out)
    for arm in arms:
        rate = winners.get(arm.name) if study.searches else arm.learning_rate
        last = study.race.looks[-1] if study.protocol == "race" else len(study.seeds)
        ranked = _look_up(arm, study.seeds[: stopped.get(arm.name, last)], rate, trial_store)
        speeds = [stored.speed for stored in ranked.values() if stored.speed]
        trial = arm.trial(study.seeds[0])
        known = _Known(speeds[0], "another seed") if speeds else _first_guess(trial, probe, device)
        axes = {key: value for key in keys if (value := _value(arm.settings, key)) is not None}
        if study.searches:
            trials += _search_trials(arm, study.search, trial_store, known, pruned, axes)
        trials += [_ranked(arm, seed, rate, stored, known, axes) for seed, stored in ranked.items()]
        if rate is not None:
            trials += _defective_trials(arm, rate, study, trial_store, known, axes)
    return Plan(
        name=study.name,
        protocol=study.protocol,
        processes=Capacity(None, 1, gpus_here()).at_once(arms[0].trial(study.seeds[0])),
        gpu=device.name,
        trials=tuple(trials),
        unmatched=study.unmatched(),
        left_out=study.left_out(),
        undropped=_undropped(study, arms),
        race=forecast_race(study, arms, [t.seconds for t in trials if t.role == "ranked"]),
    )


def most_trials(study: Study, arm: Arm) -> tuple[int, int, TrialConfig]:
    """Return the most trials that an arm is ranked by, those of its search, and one of these.

    A search's trial is returned with the benches on which it is scored, one a rung.
    """
    last = study.race.looks[-1] if study.protocol == "race" else len(study.seeds)
    trial = arm.trial(study.seeds[0])
    if not study.searches:
        return last, 0, trial
    benches = (study.search.bench,) * len(rungs(arm, study.search))
    scored = trial.evaluation.model_copy(update={"benches": benches})
    trial = trial.model_copy(update={"evaluation": scored})
    return last, len(search_trials(arm, study.search)), trial


def _undropped(study: Study, arms: Sequence[Arm]) -> tuple[str, ...]:
    """Return the methods of which a search drops no learning rate before the last step."""
    if not study.searches:
        return ()
    whole = [arm for arm in arms if len(rungs(arm, study.search)) == 1]
    return tuple(dict.fromkeys(arm.method for arm in whole))


def _value(arm: ArmConfig, key: str) -> Any:
    """Return an arm's value of a dotted key; None where its method has no such setting."""
    value: Any = arm.model_dump(mode="json")
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _first_guess(trial: TrialConfig, probe: bool, device: GPU) -> _Known:
    """Return the speed of an arm that no run is known of."""
    if is_local(trial.model):
        return _Known(probe_speed(trial) if probe else None, "probe")
    return _Known(estimated_speed(trial, device), "estimate")


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
class _Stored:
    """What the store holds of a ranked trial; `id` is None where its rate is still unknown."""

    id: str | None
    stands: TrialState
    speed: Speed | None = None


def _look_up(
    arm: Arm, seeds: Sequence[int], rate: float | None, store: Store
) -> dict[int, _Stored]:
    """Return what the store holds of an arm's ranked trials, by their seeds."""
    if rate is None:
        return dict.fromkeys(seeds, _Stored(None, TrialState("waiting", {})))
    stored = {}
    for seed in seeds:
        name = trial_id(arm.trial(seed, rate))
        stands = read_state(Run(store.folder / name))
        stored[seed] = _Stored(name, stands, measured_speed(stands.manifest, arm.settings))
    return stored


def _winners(out: Path | None) -> dict[str, float]:
    """Return the rate that a finished search found, by arm."""
    arms = search_arms(out) if out else []
    return {arm["id"]: arm["winner"] for arm in arms if arm["winner"] is not None}


def _defective_trials(
    arm: Arm, rate: float, study: Study, store: Store, known: _Known, axes: dict[str, Any]
) -> list[PlannedTrial]:
    """Return trials with a defect and controls, which take as long as the fair arm if not known."""
    fair = [arm.trial(seed, rate) for seed in study.seeds]
    planned = []
    others = defective_trials(fair, study.defects, store)
    others += control_trials(fair, study.controls, study.controlled, store)
    for one in others:
        config, stands = one.trial, read_state(Run(one.folder))
        steps = 0 if one.role == "rescored" else config.training.steps
        during = benches_during(config, steps)
        seconds, source = known.seconds(steps, len(config.evaluation.benches) + during)
        planned.append(
            PlannedTrial(
                id=store.name_of(one.folder),
                role=one.role,
                method=config.method.name,
                seed=config.seed,
                learning_rate=config.method.learning_rate,
                axes=axes | {"control" if one.role == "control" else "defect": one.defect},
                step=stands.step(steps),
                steps=config.training.steps,
                state=stands.state,
                ended=stands.has_ended,
                seconds=seconds,
                source=source,
            )
        )
    return planned


def _ranked(
    arm: Arm,
    seed: int,
    rate: float | None,
    stored: _Stored,
    known: _Known,
    axes: dict[str, Any],
) -> PlannedTrial:
    if stored.speed:
        known = _Known(stored.speed, "measured")
    steps = arm.steps
    benches = len(arm.settings.evaluation.benches) + benches_during(arm.settings, steps)
    seconds, source = known.seconds(steps, benches)
    return PlannedTrial(
        id=stored.id,
        role="ranked",
        method=arm.method,
        seed=seed,
        learning_rate=rate,
        axes=axes,
        step=stored.stands.step(steps),
        steps=steps,
        state=stored.stands.state,
        ended=stored.stands.has_ended,
        seconds=seconds,
        source=source,
    )


def _search_trials(
    arm: Arm,
    search: SearchConfig,
    store: Store,
    known: _Known,
    pruned: frozenset[str],
    axes: dict[str, Any],
) -> Iterator[PlannedTrial]:
    during = benches_during(arm.settings, arm.steps)
    seconds, source = known.seconds(arm.steps, len(rungs(arm, search)) + during)
    for trial in search_trials(arm, search).values():
        folder, steps = store.search_trial(trial, search), trial.training.steps
        entry = trial_entry(trial, "search", store.name_of(folder))
        stands = read_state(Run(folder), entry, pruned)
        yield PlannedTrial(
            id=entry.id,
            role="search",
            method=arm.method,
            seed=trial.seed,
            learning_rate=trial.method.learning_rate,
            axes=axes,
            step=stands.step(steps),
            steps=steps,
            state=stands.state,
            ended=stands.has_ended,
            seconds=seconds,
            source=source,
        )
