"""A study, from its arms to its outcomes; and going on with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from verirank.config import InputError, TrialConfig, to_toml
from verirank.methods import create_method
from verirank.models import load_shape
from verirank.record import Run, hold, read_trial_list, usable_cores, write_file, write_trial_list
from verirank.study._definition import Study, read_study, with_seed
from verirank.study._jobs import Executor, Job, Outcome
from verirank.study._local import LocalExecutor, one_thread_each
from verirank.study._search import candidates, search_rates
from verirank.study._store import Store, trial_entry
from verirank.study._trial import Rung, is_finished

_DEFINITION = "study.toml"


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
    arms = study.arms()
    _expect_study(study, out)
    write_file(out / _DEFINITION, to_toml(study))
    place = Store((store or _begun_store(out) or out / "trials").absolute())
    with hold(out / ".lock", f"another process is running the study in {out}"):
        crew = _Crew(place, executor or LocalExecutor(), retry_failed, on_poll)
        searched: list[TrialConfig] = []
        if study.protocol == "fair":
            searched = [c for arm in arms for c in candidates(arm, study.search)]
            _list(out, place, searched, [])
            arms = search_rates(
                arms, study.search, place, out, lambda trials, rung: _take(crew, trials, rung)
            )
        ranked = [with_seed(arm, seed) for seed in study.seeds for arm in arms]
        _list(out, place, searched, ranked)
        return crew.take(ranked, None)


def run_trials(
    trials: Sequence[TrialConfig], store: Path, executor: Executor | None = None
) -> list[Outcome]:
    """Run trials side by side in a store, without a study; those that are done are left alone."""
    crew = _Crew(Store(store.absolute()), executor or LocalExecutor(), False, lambda: None)
    return crew.take(trials, None)


def resume_study(out: Path, **options: object) -> list[Outcome]:
    """Go on with the study in a folder; takes the options of `run_study`.

    Raises:
        InputError: the folder holds no study.
    """
    return run_study(open_study(out), out, **options)  # type: ignore[arg-type]


def open_study(out: Path) -> Study:
    """Return the study that a folder was begun with.

    Raises:
        InputError: the folder holds no study.
    """
    if not (out / _DEFINITION).is_file():
        raise InputError(f"{out} holds no study (no {_DEFINITION}); start one with study run")
    return read_study(out / _DEFINITION)


def _take(crew: _Crew, trials: Sequence[TrialConfig], rung: Rung) -> None:
    crew.take(trials, rung)


class _Crew:
    """Takes trials to where they are to go: creates, prepares and executes what is not there."""

    def __init__(
        self, store: Store, executor: Executor, retry_failed: bool, on_poll: Callable[[], None]
    ) -> None:
        self._store = store
        self._executor = executor
        self._retry_failed = retry_failed
        self._on_poll = on_poll

    def take(self, trials: Sequence[TrialConfig], rung: Rung | None) -> list[Outcome]:
        """Return an outcome a trial, in the order given."""
        folders = [self._store.trial(trial) for trial in trials]
        outcomes = {folder: self._known(Run(folder), rung) for folder in folders}
        todo = [t for t, f in zip(trials, folders, strict=True) if outcomes[f] is None]
        if todo:
            for trial in todo:
                self._store.start(trial)
            _prepare(todo, self._store, with_base_samples=rung is None)
            # The longest first, so that no long one is left to run alone at the end.
            todo.sort(key=_gradient_size, reverse=True)
            jobs = [Job(self._store.trial(t), self._store.base_samples(t), rung) for t in todo]
            outcomes |= {o.folder: o for o in self._executor.run(jobs, self._on_poll)}
        return [outcome for f in folders if (outcome := outcomes[f]) is not None]

    def _known(self, run: Run, rung: Rung | None) -> Outcome | None:
        """Return how a trial ended, or None where it has still to run."""
        manifest = run.manifest
        if manifest and is_finished(run, rung):
            return Outcome(run.folder, None)
        settled = manifest.get("status") == "failed" and not manifest.get("passing")
        if settled and not self._retry_failed:
            return Outcome(run.folder, str(manifest.get("error")))
        return None


def _expect_study(study: Study, out: Path) -> None:
    path = out / _DEFINITION
    if path.is_file():
        if path.read_text("utf-8") != to_toml(study):
            raise InputError(f"{out} holds another study, or this one before it was changed")
    elif out.is_dir() and any(out.iterdir()):
        raise InputError(f"output folder {out} is not empty and holds no study")


def _begun_store(out: Path) -> Path | None:
    listed = read_trial_list(out)
    return listed.store if listed else None


def _list(
    out: Path, store: Store, searched: Sequence[TrialConfig], ranked: Sequence[TrialConfig]
) -> None:
    parts = [trial_entry(trial, "search") for trial in searched]
    parts += [trial_entry(trial, "ranked") for trial in ranked]
    write_trial_list(out, store.folder, parts)


def _gradient_size(trial: TrialConfig) -> int:
    return create_method(trial.method).count(load_shape(trial.model))


def _prepare(trials: Sequence[TrialConfig], store: Store, *, with_base_samples: bool) -> None:
    """Do once what trials share, side by side: prove their methods, and sample the base."""
    from verirank.study import _worker

    models = {to_toml(trial.model): trial for trial in trials}
    samples = {store.base_samples(trial): trial for trial in trials} if with_base_samples else {}
    with (
        one_thread_each() as context,
        ProcessPoolExecutor(
            min(usable_cores(), 4), mp_context=context, initializer=_worker.die_by_ctrl_c
        ) as pool,
    ):
        waiting = []
        for trial in models.values():
            fingerprint = pool.submit(_worker.base_fingerprint, trial.model)
            methods = {to_toml(t.method): t.method for t in trials if t.model == trial.model}
            waiting.append(pool.submit(_worker.prove_methods, list(methods.values()), trial.model))
            store.expect_base(trial, fingerprint.result())
        for folder, trial in samples.items():
            waiting.append(pool.submit(_worker.sample_the_base, trial, folder))
        for future in waiting:
            future.result()
