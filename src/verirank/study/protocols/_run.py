"""A study, from its arms to its outcomes; and going on with one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from verirank.config import InputError, TrialConfig, by_dotted_key, to_toml
from verirank.record import (
    TrialEntry,
    hold,
    read_trial_list,
    write_file,
    write_trial_list,
)
from verirank.statistics import UNSEARCHED, SearchNoise
from verirank.study._arm import Arm
from verirank.study._confounds import Defective, control_trials, defective_trials, with_defects
from verirank.study._crew import Crew
from verirank.study._definition import (
    DEFINITION,
    LOCK,
    Study,
    open_study,
    read_study,
)
from verirank.study._equal_time import with_equal_time
from verirank.study._search import search_rates, search_trials
from verirank.study._study_benches import expect_study_possible
from verirank.study.executors._jobs import Executor, Outcome
from verirank.study.executors._local import LocalExecutor
from verirank.study.protocols._race import race_arms
from verirank.trial import Rung, Store, trial_entry


def run_study(
    study: Study,
    out: Path,
    *,
    store: Path | None = None,
    executor: Executor | None = None,
    retry_failed: bool = False,
    part: tuple[int, int] | None = None,
    on_poll: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Run what a study still lacks; a finished one is left as it is.

    Args:
        study: what to run.
        out: its folder, new or of the same study.
        store: where its trials lie; OUT/trials, or what the folder was begun with, if None.
        executor: where trials run; this machine's processes if None.
        retry_failed: run trials again that failed by their own fault, not only the machine's.
        part: (i, n) runs the i-th of n parts of the arms, each with its search and all its seeds.
            Machines that share a store run a part each, each with an OUT of its own.
        on_poll: is called about twice a second.

    Returns:
        One outcome a ranked trial.

    Raises:
        InputError: the folder holds another study, another process is at it, or a setting is wrong.
        KeyboardInterrupt: the study was stopped; it goes on when run again.
    """
    if part is not None:
        _expect_parts(study)
    study = with_equal_time(study, out)
    arms = study.arms() if part is None else _arms_of(part, study)
    for arm in arms:
        with_defects(arm.trial(study.seeds[0]), study.defects)
    expect_study_possible(arms, study)
    study = study.spelled_out()
    _expect_free_folder(study, out)
    _expect_store(store, out)
    out.mkdir(parents=True, exist_ok=True)
    with hold(out / LOCK, f"another process is running the study in {out}"):
        # Another process may have begun one since.
        _expect_same(study, out)
        trial_store = Store(_expect_store(store, out))
        if _begun_store(out) is None:
            # The store first: without it, a study that goes on would not find its trials.
            write_trial_list(out, trial_store.folder, [])
        if not (out / DEFINITION).is_file() or read_study(out / DEFINITION) != study:
            write_file(out / DEFINITION, to_toml(study))
        crew = Crew(trial_store, executor or LocalExecutor(), retry_failed, on_poll)
        if study.searches:
            return _search_and_rank(crew, out, study, arms)
        rates = {arm: arm.learning_rate for arm in arms}
        return _rank(crew, out, study, rates, [], UNSEARCHED)


def _expect_parts(study: Study) -> None:
    """Refuse parts where arms are not independent of one another."""
    if study.protocol == "race":
        raise InputError(
            "a race decides after each look from all of its arms: it has no parts; run it on one "
            "machine, or on a Ray cluster"
        )
    if study.match == "time" and not study.steps:
        raise InputError(
            "each part would measure other steps of equal time: run `verirank study plan` without "
            "parts, and write the steps of every method under [steps] of the study"
        )


def _arms_of(part: tuple[int, int], study: Study) -> list[Arm]:
    """Return every n-th of a study's arms."""
    arms, (number, parts) = study.arms(), part
    if not 1 <= number <= parts <= len(arms):
        raise InputError(
            f"part {number}/{parts} is none of a study of {len(arms)} arms: I/N needs "
            "1 <= I <= N, and no more parts than arms"
        )
    return arms[number - 1 :: parts]


def _search_and_rank(crew: Crew, out: Path, study: Study, arms: Sequence[Arm]) -> list[Outcome]:
    search, store = study.search, crew.store
    entries = [
        trial_entry(trial, "search", store.name_of(store.search_trial(trial, search)))
        for arm in arms
        for trial in search_trials(arm, search).values()
    ]
    listed = read_trial_list(out)
    if listed is None or not listed.entries:
        write_trial_list(out, store.folder, entries)

    def execute(trials: Sequence[TrialConfig], rung: Rung) -> None:
        crew.take({store.search_trial(trial, search): trial for trial in trials}, rung)

    result = search_rates(arms, search, study.seeds[0], store, out, execute)
    failed = [
        Outcome(out / name, why, for_good=name not in result.undecided)
        for name, why in result.failures.items()
    ]
    if study.protocol == "race" and result.undecided:
        return failed  # the arms that are missing would join a race that has begun
    rates = {arm: result.winners[arm.name] for arm in arms if arm.name in result.winners}
    return _rank(crew, out, study, rates, entries, result.noise) + failed


def _rank(
    crew: Crew,
    out: Path,
    study: Study,
    rates: Mapping[Arm, float],
    searched: list[TrialEntry],
    search: SearchNoise,
) -> list[Outcome]:
    """Train every seed of every arm at its rate; in a race, those where the question is open."""
    if study.protocol == "race":
        return race_arms(crew, out, study, rates, searched, search)
    ranked = [arm.trial(seed, rate) for seed in study.seeds for arm, rate in rates.items()]
    trials = {crew.store.trial(trial): trial for trial in ranked}
    entries = [trial_entry(t, "ranked", crew.store.name_of(f)) for f, t in trials.items()]
    defective = defective_trials(ranked, study.defects, crew.store)
    defective += control_trials(ranked, study.controls, study.controlled, crew.store)
    entries += [one.entry(crew.store) for one in defective]
    listed = read_trial_list(out)
    if listed is None or listed.entries != (*searched, *entries):
        write_trial_list(out, crew.store.folder, [*searched, *entries])
    return _take_with_defects(crew, trials, defective)


def _take_with_defects(
    crew: Crew, trials: Mapping[Path, TrialConfig], defective: Sequence[Defective]
) -> list[Outcome]:
    """Take trials to their end, those with a defect among them; what is only rescored goes last."""
    trained = [one for one in defective if one.role != "rescored"]
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
    crew = Crew(Store(store.absolute()), executor or LocalExecutor(), False, lambda: None)
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


def _expect_same(study: Study, out: Path) -> None:
    """Refuse a folder that was begun with another study."""
    path = out / DEFINITION
    # Both by their settings: a study from before a setting existed has its default.
    if not path.is_file():
        return
    started = _going_on(read_study(path), study)
    begun, asked = (by_dotted_key(tomllib.loads(to_toml(s))) for s in (started, study))
    if differing := [k for k in sorted({*begun, *asked}) if begun.get(k) != asked.get(k)]:
        shown = [
            f"{k} ({begun.get(k, 'unset')} there, {asked.get(k, 'unset')} now)" for k in differing
        ]
        more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        raise InputError(
            f"{out} holds another study, which differs in {', '.join(shown[:3])}{more}; choose "
            "another --out"
        )


def _going_on(begun: Study, asked: Study) -> Study:
    """Return a begun study as it goes on: as a race, or as a race with another budget."""
    if asked.protocol != "race":
        return begun
    if begun.protocol == "race":
        race = begun.race.model_copy(update={"budget": asked.race.budget})
        return begun.model_copy(update={"race": race})
    trained_alike = begun.searches == asked.searches and not begun.defects and not begun.controls
    if not trained_alike or begun.seeds != asked.seeds[: len(begun.seeds)]:
        return begun
    changed = {"protocol": "race", "race": asked.race, "seeds": asked.seeds}
    return begun.model_copy(update=changed)


def _expect_free_folder(study: Study, out: Path) -> None:
    """Refuse a folder that holds anything but this study, before anything is written."""
    if (out / DEFINITION).is_file():
        _expect_same(study, out)
    elif out.exists() and not out.is_dir():
        raise InputError(f"{out} is no folder; choose another --out")
    elif out.is_dir() and any(f.name != "trials.json" and f.name[0] != "." for f in out.iterdir()):
        raise InputError(f"{out} is not empty and holds no study; choose another --out")


def _expect_store(store: Path | None, out: Path) -> Path:
    """Return where the trials lie, which stays what a study was begun with."""
    begun = _begun_store(out)
    folder = (store or begun or out / "trials").absolute()
    if begun and not (folder.is_dir() and folder.samefile(begun)):
        if store:
            raise InputError(
                f"the study in {out} was begun with its trials in {begun}; leave --store out, or "
                "choose another --out"
            )
        folder = begun
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the store {folder} is no folder; choose another --store")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _begun_store(out: Path) -> Path | None:
    listed = read_trial_list(out)
    if listed is None:
        return None
    listed.expect_store(out)
    return listed.store
