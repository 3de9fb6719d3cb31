"""What a study will run: its trials, what each costs, and what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verirank.config import InputError, TrialConfig
from verirank.models import is_local
from verirank.planning import GPU, gpu
from verirank.record import Role, Run, read_trial_list
from verirank.study._confounds import defective_trials
from verirank.study._cost import Source, Speed, estimated_speed, measured_speed, probe_speed
from verirank.study._definition import (
    DEFINITION,
    SearchConfig,
    Study,
    with_learning_rate,
    with_seed,
)
from verirank.study._ending import failed_for_good
from verirank.study._equal_time import with_equal_time
from verirank.study._room import Room, gpus_here
from verirank.study._search import (
    candidates,
    expected_work,
    rungs,
    search_arms,
    search_end,
    search_ends,
)
from verirank.study._status import ENDED
from verirank.study._store import Store, trial_id, trial_ids


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial to come or done already.

    `id` and `learning_rate` are None where a search has still to find the rate. `axes` are the
    arm's own values of the study's axes. `seconds` are those of the whole trial, on one core where
    they were measured and on a GPU where they are an estimate; in a search, what is expected of a
    trial that may be pruned. `step` of its `steps` are taken already. `ended` tells that a study
    that goes on does nothing more of it: it is done, or failed by its own fault.
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
    names but that have no trial, with the keys of the axes that they lack. `unhalved` are methods
    whose search has its first rung for its last: every learning rate trains to the end.
    """

    name: str
    protocol: str
    processes: int
    gpu: str
    trials: tuple[PlannedTrial, ...]
    unmatched: tuple[str, ...]
    left_out: dict[str, tuple[str, ...]]
    unhalved: tuple[str, ...]

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
        InputError: a method, key or value is wrong, or the GPU is not known.
    """
    device = gpu(on)
    listed = read_trial_list(out) if out else None
    place = Store(store or (listed.store if listed else (out or Path()) / "trials"))
    trials: list[PlannedTrial] = []
    winners, ends = _winners(out), search_ends(out) if out else {}
    if probe or (out and (out / DEFINITION).is_file()):
        study = with_equal_time(study, out)
    arms = study.arms()
    solved = {"parameters": ["method.rank"], "time": ["training.steps"]}.get(study.match, [])
    keys = dict.fromkeys((*study.axes, *solved))
    for arm in arms:
        rate = winners.get(trial_id(arm)) if study.protocol == "fair" else arm.method.learning_rate
        ranked = _look_up(arm, study.seeds, rate, place)
        speeds = [found.speed for found in ranked.values() if found.speed]
        known = _Known(speeds[0], "another seed") if speeds else _first_guess(arm, probe, device)
        axes = {key: value for key in keys if (value := _value(arm, key)) is not None}
        if study.protocol == "fair":
            trials += _search_trials(arm, study.search, place, known, ends, axes)
        trials += [_ranked(arm, seed, rate, found, known, axes) for seed, found in ranked.items()]
        if rate is not None:
            trials += _defective_trials(with_learning_rate(arm, rate), study, place, known, axes)
    return Plan(
        name=study.name,
        protocol=study.protocol,
        processes=Room(None, 1, gpus_here()).at_once(arms[0]),
        gpu=device.name,
        trials=tuple(trials),
        unmatched=study.unmatched(),
        left_out=study.left_out(),
        unhalved=_unhalved(study, arms),
    )


def _unhalved(study: Study, arms: Sequence[TrialConfig]) -> tuple[str, ...]:
    """Return the methods of which a search drops no learning rate before the last step."""
    if study.protocol != "fair":
        return ()
    whole = [arm for arm in arms if len(rungs(arm.training.steps, study.search)) == 1]
    return tuple(dict.fromkeys(arm.method.name for arm in whole))


def _value(arm: TrialConfig, key: str) -> Any:
    """Return an arm's value of a dotted key; None where its method has no such setting."""
    found: Any = arm.model_dump(mode="json")
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _first_guess(arm: TrialConfig, probe: bool, device: GPU) -> _Known:
    """Return the speed of an arm that no run is known of."""
    if is_local(arm.model):
        return _Known(probe_speed(arm) if probe else None, "probe")
    return _Known(estimated_speed(arm, device), "estimate")


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
    ended: bool
    step: int
    speed: Speed | None


def _look_up(
    arm: TrialConfig, seeds: Sequence[int], rate: float | None, store: Store
) -> dict[int, _Found]:
    """Return what the store holds of an arm's ranked trials, by their seeds."""
    if rate is None:
        return dict.fromkeys(seeds, _Found(None, "waiting", False, 0, None))
    names = trial_ids(with_learning_rate(arm, rate), seeds)
    return {seed: _look_at(name, Run(store.folder / name), arm) for seed, name in names.items()}


def _look_at(name: str, run: Run, arm: TrialConfig) -> _Found:
    manifest = _manifest(run)
    state, speed = manifest.get("status", "waiting"), measured_speed(manifest, arm)
    return _Found(name, state, _has_ended(manifest, state), _steps_taken(run, state), speed)


def _manifest(run: Run) -> dict[str, Any]:
    """Return a run's manifest; of one that is damaged, that of a failure that may pass."""
    try:
        return run.manifest
    except InputError:
        return {"status": "failed", "passing": True}


def _has_ended(manifest: Mapping[str, Any], state: str) -> bool:
    return failed_for_good(manifest) if state == "failed" else state in ENDED


def _steps_taken(run: Run, state: str) -> int:
    """Return the steps that a trial which is not finished has behind it."""
    lines = [] if state in {"waiting", "done"} else run.metrics()
    return lines[-1]["step"] if lines else 0


def _winners(out: Path | None) -> dict[str, float]:
    """Return the rate that a finished search found, by arm."""
    arms = search_arms(out) if out else []
    return {arm["id"]: arm["winner"] for arm in arms if arm["winner"] is not None}


def _defective_trials(
    arm: TrialConfig, study: Study, store: Store, known: _Known, axes: dict[str, Any]
) -> list[PlannedTrial]:
    """Return the trials with a defect; where none is measured they take as long as the fair arm."""
    fair = [with_seed(arm, seed) for seed in study.seeds]
    found = []
    for one in defective_trials(fair, study.defects, store):
        run, config = Run(one.folder), one.trial
        manifest = _manifest(run)
        state = manifest.get("status", "waiting")
        steps = config.training.steps if one.role == "defective" else 0
        seconds, source = known.seconds(steps, len(config.evaluation.benches))
        found.append(
            PlannedTrial(
                id=store.name_of(one.folder),
                role=one.role,
                method=config.method.name,
                seed=config.seed,
                learning_rate=config.method.learning_rate,
                axes=axes | {"defect": one.defect},
                step=_steps_taken(run, state) if steps else 0,
                steps=config.training.steps,
                state=state,
                ended=_has_ended(manifest, state),
                seconds=seconds,
                source=source,
            )
        )
    return found


def _ranked(
    arm: TrialConfig,
    seed: int,
    rate: float | None,
    found: _Found,
    known: _Known,
    axes: dict[str, Any],
) -> PlannedTrial:
    if found.speed:
        known = _Known(found.speed, "measured")
    steps = arm.training.steps
    seconds, source = known.seconds(steps, len(arm.evaluation.benches))
    return PlannedTrial(
        id=found.id,
        role="ranked",
        method=arm.method.name,
        seed=seed,
        learning_rate=rate,
        axes=axes,
        step=found.step,
        steps=steps,
        state=found.state,
        ended=found.ended,
        seconds=seconds,
        source=source,
    )


def _search_trials(
    arm: TrialConfig,
    search: SearchConfig,
    store: Store,
    known: _Known,
    ends: Mapping[str, int],
    axes: dict[str, Any],
) -> Iterator[PlannedTrial]:
    seconds, source = known.seconds(*expected_work(arm.training.steps, search))
    for trial in candidates(arm, search):
        folder, steps = store.search_trial(trial, search), trial.training.steps
        run = Run(folder)
        manifest = _manifest(run)
        state = manifest.get("status", "waiting")
        if state in ("paused", "stopped", "running"):
            state = search_end(run, steps, ends) or state
        yield PlannedTrial(
            id=store.name_of(folder),
            role="search",
            method=arm.method.name,
            seed=trial.seed,
            learning_rate=trial.method.learning_rate,
            axes=axes,
            step=_steps_taken(run, "searched"),
            steps=steps,
            state=state,
            ended=_has_ended(manifest, state),
            seconds=seconds,
            source=source,
        )
