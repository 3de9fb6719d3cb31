"""A study, from its arms to its outcomes; and going on with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from verirank.config import InputError, TrialConfig, to_toml
from verirank.models import load_shape
from verirank.planning import usual_lengths, work_of
from verirank.record import (
    Run,
    TrialEntry,
    hold,
    read_trial_list,
    write_file,
    write_trial_list,
)
from verirank.study._confounds import Defective, defective_trials, with_defects
from verirank.study._definition import (
    DEFINITION,
    LOCK,
    Study,
    open_study,
    read_study,
    with_learning_rate,
    with_seed,
)
from verirank.study._ending import Rung, failed_for_good, is_finished
from verirank.study._equal_time import with_equal_time
from verirank.study._jobs import Executor, Job, Outcome
from verirank.study._local import LocalExecutor
from verirank.study._search import candidates, search_rates
from verirank.study._start import expect_benches
from verirank.study._store import Store, trial_entry


def run_study(
    study: Study,
    out: Path,
    *,
    store: Path | None = None,
    executor: Executor | None = None,
    retry_failed: bool = False,
    on_poll: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Run what a study still lacks; a finished one is left as it is.

    Args:
        study: what to run.
        out: its folder, new or of the same study.
        store: where its trials lie; OUT/trials, or what the folder was begun with, if None.
        executor: where trials run; this machine's processes if None.
        retry_failed: run trials again that failed by their own fault, not only the machine's.
        on_poll: is called about twice a second.

    Returns:
        One outcome a ranked trial.

    Raises:
        InputError: the folder holds another study, another process is at it, or a setting is wrong.
        KeyboardInterrupt: the study was stopped; it goes on when run again.
    """
    study = with_equal_time(study, out)
    arms = study.arms()
    _expect_benches(arms, study)
    for arm in arms:
        with_defects(arm, study.defects)
    study = study.spelled_out()
    _expect_room(study, out)
    _expect_store(store, out)
    out.mkdir(parents=True, exist_ok=True)
    with hold(out / LOCK, f"another process is running the study in {out}"):
        # Another process may have begun one since.
        _expect_same(study, out)
        place = Store(_expect_store(store, out))
        if _begun_store(out) is None:
            # The store first: without it, a study that goes on would not find its trials.
            write_trial_list(out, place.folder, [])
        if not (out / DEFINITION).is_file():
            write_file(out / DEFINITION, to_toml(study))
        crew = _Crew(place, executor or LocalExecutor(), retry_failed, on_poll)
        if study.protocol == "single":
            return _rank(crew, out, study, arms, [])
        return _search_and_rank(crew, out, study, arms)


def _search_and_rank(
    crew: _Crew, out: Path, study: Study, arms: Sequence[TrialConfig]
) -> list[Outcome]:
    search, store = study.search, crew.store
    entries = [
        trial_entry(c, "search", store.name_of(store.search_trial(c, search)))
        for arm in arms
        for c in candidates(arm, search)
    ]
    listed = read_trial_list(out)
    if listed is None or not listed.entries:
        write_trial_list(out, store.folder, entries)

    def execute(trials: Sequence[TrialConfig], rung: Rung) -> None:
        crew.take({store.search_trial(trial, search): trial for trial in trials}, rung)

    found = search_rates(arms, search, store, out, execute)
    ranked = _rank(crew, out, study, found.arms, entries)
    return ranked + [
        Outcome(out / name, why, for_good=name not in found.undecided)
        for name, why in found.failures.items()
    ]


def _rank(
    crew: _Crew,
    out: Path,
    study: Study,
    arms: Sequence[TrialConfig],
    searched: list[TrialEntry],
) -> list[Outcome]:
    trials = {
        crew.store.trial(trial): trial
        for trial in (with_seed(arm, seed) for seed in study.seeds for arm in arms)
    }
    entries = [trial_entry(t, "ranked", crew.store.name_of(f)) for f, t in trials.items()]
    defective = defective_trials(list(trials.values()), study.defects, crew.store)
    entries += [one.entry(crew.store) for one in defective]
    listed = read_trial_list(out)
    if listed is None or listed.entries != (*searched, *entries):
        write_trial_list(out, crew.store.folder, [*searched, *entries])
    return _take_with_defects(crew, trials, defective)


def _take_with_defects(
    crew: _Crew, trials: Mapping[Path, TrialConfig], defective: Sequence[Defective]
) -> list[Outcome]:
    """Take trials to their end, those with a defect among them; what is only rescored goes last."""
    trained = [one for one in defective if one.role == "defective"]
    for one in trained:
        one.start(crew.store)
    outcomes = crew.take({**trials, **{one.folder: one.trial for one in trained}}, None)
    failed = {outcome.folder: outcome for outcome in outcomes if outcome.error}
    rescored = [one for one in defective if one.role == "rescored"]
    scored = {one.folder: one for one in rescored if one.fair not in failed}
    for one in scored.values():
        one.start(crew.store)
    outcomes += crew.take({folder: one.trial for folder, one in scored.items()}, None)
    why = "the trial that it scores again failed"
    return outcomes + [
        replace(failed[one.fair], folder=one.folder, error=why)
        for one in rescored
        if one.fair in failed
    ]


def run_trials(
    trials: Sequence[TrialConfig], store: Path, executor: Executor | None = None
) -> list[Outcome]:
    """Run trials side by side in a store, without a study; those that are done are left alone."""
    crew = _Crew(Store(store.absolute()), executor or LocalExecutor(), False, lambda: None)
    return crew.take({crew.store.trial(trial): trial for trial in trials}, None)


def resume_study(
    out: Path,
    *,
    executor: Executor | None = None,
    retry_failed: bool = False,
    on_poll: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Go on with the study in a folder, in the store that it was begun with.

    Arguments, outcomes and errors are those of `run_study`.

    Raises:
        InputError: the folder holds no study.
    """
    study = open_study(out)
    return run_study(study, out, executor=executor, retry_failed=retry_failed, on_poll=on_poll)


class _Crew:
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
        outcomes = {folder: self._found(folder, rung) for folder in trials}
        todo = {folder: trial for folder, trial in trials.items() if outcomes[folder] is None}
        for folder, trial in todo.items():
            self.store.start(trial, folder)
        jobs = [Job(folder, self.store.folder, rung) for folder in _most_work_first(todo)]
        if jobs:
            outcomes |= {o.folder: o for o in self._executor.run(jobs, self._on_poll)}
        return [outcome for outcome in outcomes.values() if outcome is not None]

    def _found(self, folder: Path, rung: Rung | None) -> Outcome | None:
        try:
            return self._known(Run(folder), rung)
        except InputError as error:  # a file of it is damaged: the others go on
            return Outcome(folder, f"{error}; without its folder it is trained again")

    def _known(self, run: Run, rung: Rung | None) -> Outcome | None:
        """Return how a trial ended, or None where it has still to run."""
        manifest = run.manifest
        if manifest and is_finished(run, rung):
            return Outcome(run.folder, None)
        if failed_for_good(manifest) and not self._retry_failed:
            return Outcome(run.folder, str(manifest.get("error")), for_good=True)
        return None


def _expect_same(study: Study, out: Path) -> None:
    """Refuse a folder that was begun with another study."""
    path = out / DEFINITION
    # Both by their settings: a study from before a setting existed has its default.
    if path.is_file() and to_toml(read_study(path)) != to_toml(study):
        raise InputError(
            f"{out} holds another study, or this one before it or its preset was changed; "
            "choose another --out"
        )


def _expect_room(study: Study, out: Path) -> None:
    """Refuse a folder that holds anything but this study, before anything is written."""
    if (out / DEFINITION).is_file():
        _expect_same(study, out)
    elif out.exists() and not out.is_dir():
        raise InputError(f"{out} is no folder; choose another --out")
    elif out.is_dir() and any(f.name != "trials.json" and f.name[0] != "." for f in out.iterdir()):
        raise InputError(f"{out} is not empty and holds no study; choose another --out")


def _expect_benches(arms: Sequence[TrialConfig], study: Study) -> None:
    """Refuse benches that cannot be scored, before anything is written."""
    searched = (study.search.bench,) if study.protocol == "fair" else ()
    asked = {(to_toml(a.task), a.evaluation.benches): a for a in arms}
    for arm in asked.values():
        expect_benches(arm.task, dict.fromkeys((*arm.evaluation.benches, *searched)))


def _expect_store(store: Path | None, out: Path) -> Path:
    """Return where the trials lie, which stays what a study was begun with."""
    begun = _begun_store(out)
    place = (store or begun or out / "trials").absolute()
    if begun and not (place.is_dir() and place.samefile(begun)):
        if store:
            raise InputError(
                f"the study in {out} was begun with its trials in {begun}; leave --store out, or "
                "choose another --out"
            )
        place = begun
    if place.exists() and not place.is_dir():
        raise InputError(f"the store {place} is no folder; choose another --store")
    place.mkdir(parents=True, exist_ok=True)
    return place


def _begun_store(out: Path) -> Path | None:
    listed = read_trial_list(out)
    if listed is None:
        return None
    listed.expect_store(out)
    return listed.store


def _most_work_first(trials: Mapping[Path, TrialConfig]) -> list[Path]:
    """Return the folders by the FLOPs that are planned of their trials.

    So no long trial is left to run alone at the end.
    """
    found = dict[str, float]()

    def work(trial: TrialConfig) -> float:
        # Seeds and rates of one arm take as long, and a task may be a file that is read.
        arm = with_learning_rate(with_seed(trial, 0), 1.0)
        key = arm.model_dump_json()
        if key not in found:
            found[key] = work_of(arm, load_shape(arm.model), usual_lengths(arm)).flops
        return found[key]

    return sorted(trials, key=lambda folder: (-work(trials[folder]), folder))
