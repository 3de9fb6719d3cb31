"""The fair protocol's search: equal learning-rate trials a method, successively halved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from verirank.config import InputError, TrialConfig
from verirank.record import Run, read_json, whole_file, write_json
from verirank.study._definition import SearchConfig, with_learning_rate, with_seed
from verirank.study._ending import Rung
from verirank.study._store import Store, trial_id

RULE = (
    "Each method is trained at {n} learning rates, spaced evenly in log over a factor of {span:g} "
    "around its prior, with seed {seed}, which is not ranked. Scores are Avg@k on the bench "
    "{bench!r}, which is not ranked either. {halving}; the best score at the last step wins, "
    "and fresh seeds of it are trained from scratch."
)
_HALVING = (
    "After {rungs} steps the best 1/{reduction} of a method's trials go on, at least one (optuna's "
    "SuccessiveHalvingPruner, which takes a trial that failed for the last, and of equal scores "
    "the lower rate for the better)"
)
_NO_HALVING = "Every learning rate was trained to the end and none was dropped"
Execute = Callable[[Sequence[TrialConfig], Rung], None]


@dataclass
class _Candidate:
    """A learning rate on trial: its scores by steps, and where it ended, if it did."""

    config: TrialConfig
    folder: Path
    scores: dict[int, float]
    pruned_at: int | None = None
    error: str | None = None

    @property
    def goes_on(self) -> bool:
        return self.pruned_at is None and self.error is None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: arms at their winning rates, and why others have none, by arm id.

    `undecided` names those of the others that going on with the study may decide.
    """

    arms: list[TrialConfig]
    failures: dict[str, str]
    undecided: frozenset[str]


def candidates(arm: TrialConfig, search: SearchConfig) -> list[TrialConfig]:
    """Return an arm's trials of the search, those nearest to the prior first."""
    prior, n = arm.method.learning_rate, search.learning_rates
    assert prior is not None  # an arm's learning rate is spelled out
    places = sorted((i / (n - 1) - 0.5 if n > 1 else 0.0 for i in range(n)), key=abs)
    rates = [float(f"{prior * search.span**place:.3g}") for place in places]
    if len(set(rates)) < n:
        raise InputError(f"{n} learning rates within a factor of {search.span:g} are not distinct")
    return [with_seed(with_learning_rate(arm, rate), search.seed) for rate in rates]


def rungs(steps: int, search: SearchConfig) -> list[int]:
    """Return after how many steps the trials are scored, the last at the end."""
    found, at = [], search.first_steps
    while at < steps:
        found.append(at)
        at *= search.reduction
    return [*found, steps]


def expected_work(steps: int, search: SearchConfig) -> tuple[float, float]:
    """Return the steps and the scores of a search, as the mean over an arm's trials.

    How many go on from a rung is decided before any score: see `_prune`.
    """
    taken, scores, going, before = 0, 0, search.learning_rates, 0
    for at in rungs(steps, search):
        taken += going * (at - before)
        scores += going
        going, before = max(1, going // search.reduction), at
    return taken / search.learning_rates, scores / search.learning_rates


def search_rates(
    arms: Sequence[TrialConfig], search: SearchConfig, store: Store, out: Path, execute: Execute
) -> Found:
    """Search every arm's learning rate on the selection bench.

    Nothing is remembered beside the runs' own records: a search that goes on after a crash takes
    the same decisions again from the same scores. Where the machine failed a trial, its arm waits
    for the study to be resumed, and is not decided without it. Writes OUT/search.json after every
    rung, and at the end OUT/search.log for optuna's own tools.

    Args:
        arms: at their priors.
        search: the budget.
        store: holds the trials.
        out: the study's folder.
        execute: takes trials to a rung; those that are there are left alone.
    """
    fields = {
        trial_id(arm): [
            _Candidate(c, store.search_trial(c, search), {}) for c in candidates(arm, search)
        ]
        for arm in arms
    }
    steps = {trial_id(arm): rungs(arm.training.steps, search) for arm in arms}
    undecided: dict[str, str] = {}
    for number in range(max(map(len, steps.values()))):
        for at in sorted({at[number] for at in steps.values() if number < len(at)}):
            here = [
                name
                for name in fields
                if steps[name][number : number + 1] == [at] and name not in undecided
            ]
            going = [c for name in here for c in fields[name] if c.goes_on]
            execute([c.config for c in going], Rung(at, search.bench))
            for name in here:
                came = [c for c in fields[name] if c.goes_on]
                fault = _read_scores(fields[name], at)
                if fault:
                    undecided[name] = fault
                elif at < steps[name][-1]:
                    _prune(came, search.reduction, at)
            _write(out, arms, fields, search, {})
    found = {trial_id(arm): _winner(arm, fields[trial_id(arm)], undecided) for arm in arms}
    _write(out, arms, fields, search, found)
    return Found(
        arms=[arm for arm in found.values() if isinstance(arm, TrialConfig)],
        failures={name: why for name, why in found.items() if isinstance(why, str)},
        undecided=frozenset(undecided),
    )


def search_arms(out: Path) -> list[dict[str, Any]]:
    """Return the arms of a study's search as search.json tells them, none before it is there."""
    path = out / "search.json"
    return read_json(path)["arms"] if path.is_file() else []


def search_ends(out: Path) -> dict[str, int]:
    """Return after how many steps the trials of a study's search were pruned, by folder name."""
    trials = [trial for arm in search_arms(out) for trial in arm["trials"]]
    return {trial["folder"]: trial["pruned_at"] for trial in trials if trial["pruned_at"]}


def search_end(
    run: Run, steps: int, ends: Mapping[str, int]
) -> Literal["searched", "pruned"] | None:
    """Return whether a trial of a search came to its last step or was pruned; None if neither."""
    if str(steps) in run.selection:
        return "searched"
    return "pruned" if run.folder.name in ends else None


def _read_scores(field: list[_Candidate], steps: int) -> str | None:
    """Read the scores of a rung; return a fault of the machine that leaves one open."""
    for candidate in field:
        if not candidate.goes_on:
            continue
        run = Run(candidate.folder)
        try:
            score, manifest = run.selection.get(str(steps)), run.manifest
        except InputError as error:  # of this trial, a file of which is damaged
            return f"undecided until resumed, at rate {_rate(candidate):g}: {error}"
        if score is not None:
            candidate.scores[steps] = score["avg_at_k"]
            continue
        if manifest.get("passing") or manifest.get("status") != "failed":
            why = manifest.get("error", "it did not come to its score")
            return f"undecided until resumed, at rate {_rate(candidate):g}: {why}"
        candidate.error = str(manifest.get("error"))
    return None


def _prune(came: Sequence[_Candidate], reduction: int, steps: int) -> None:
    """End the trials that are not among the best 1/reduction of those that came to a rung.

    As many go on whatever the scores are, for that is what makes budgets equal: trials that failed
    count as the last, and of equal scores the lower rate as the better.
    """
    worst_first = sorted(came, key=lambda c: (c.goes_on, c.scores.get(steps, 0.0), -_rate(c)))
    for place, candidate in enumerate(worst_first):
        if candidate.goes_on and _is_pruned(len(came), place, reduction, steps):
            candidate.pruned_at = steps


def _is_pruned(came: int, place: int, reduction: int, steps: int) -> bool:
    """Ask optuna's pruner of the trial at a place, the worst at 0, once it knows all others.

    The pruner decides by what it was asked before, so each is asked last in a study of its own;
    otherwise the order of trials would decide with their scores. It lets all pass that are as good
    as the last to go on, and is told places, of which no two are equal.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=steps, reduction_factor=reduction)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    ended = False
    for other in (*range(place), *range(place + 1, came), place):
        trial = study.ask()
        trial.report(float(other), steps)
        ended = trial.should_prune()
    return ended


def _winner(
    arm: TrialConfig, field: list[_Candidate], undecided: Mapping[str, str]
) -> TrialConfig | str:
    """Return the arm at its best rate, or why it has none."""
    if why := undecided.get(trial_id(arm)):
        return why
    finished = [candidate for candidate in field if candidate.goes_on]
    if not finished:
        errors = "; ".join(sorted({c.error for c in field if c.error}))
        return f"no learning rate came to its end: {errors}"
    # Equal scores go to the lower rate.
    best = max(finished, key=lambda c: (c.scores[max(c.scores)], -_rate(c)))
    return with_learning_rate(arm, _rate(best))


def _rate(candidate: _Candidate) -> float:
    rate = candidate.config.method.learning_rate
    assert rate is not None
    return rate


def _write(
    out: Path,
    arms: Sequence[TrialConfig],
    fields: Mapping[str, list[_Candidate]],
    search: SearchConfig,
    found: Mapping[str, TrialConfig | str],
) -> None:
    """Write search.json: the rule, and per arm every trial with its scores and its end.

    A search that had come to its end stands as it is while it is gone through again.
    """
    shown = sorted({step for arm in arms for step in rungs(arm.training.steps, search)[:-1]})
    rule = RULE.format(
        n=search.learning_rates,
        span=search.span,
        seed=search.seed,
        bench=search.bench,
        halving=_HALVING.format(rungs=", ".join(map(str, shown)), reduction=search.reduction)
        if shown
        else _NO_HALVING,
    )
    lines = [_arm_line(arm, fields[trial_id(arm)], found.get(trial_id(arm))) for arm in arms]
    content = {"rule": rule, "bench": search.bench, "arms": lines}
    before = search_arms(out)
    ended = any(arm["winner"] is not None or arm["failure"] for arm in before)
    if before != lines and (found or not ended):
        write_json(out / "search.json", content)
    log = out / "search.log"
    if found and (before != lines or not log.is_file()):
        with whole_file(log) as scratch:
            _write_for_optuna(scratch, fields)


def _arm_line(
    arm: TrialConfig, field: list[_Candidate], found: TrialConfig | str | None
) -> dict[str, Any]:
    winner = found.method.learning_rate if isinstance(found, TrialConfig) else None
    rates = [_rate(c) for c in field]
    return {
        "id": trial_id(arm),
        "method": arm.method.name,
        "prior": arm.method.learning_rate,
        "winner": winner,
        "ranked": trial_id(found) if isinstance(found, TrialConfig) else None,
        "failure": found if isinstance(found, str) else None,
        "at_edge": winner in (min(rates), max(rates)) and len(rates) > 1,
        "steps": sum(max(c.scores, default=0) for c in field),
        "trials": [
            {
                "folder": c.folder.name,
                "learning_rate": _rate(c),
                "scores": {str(steps): value for steps, value in c.scores.items()},
                "pruned_at": c.pruned_at,
                "error": c.error,
            }
            for c in sorted(field, key=_rate)
        ],
    }


def _write_for_optuna(log: Path, fields: Mapping[str, list[_Candidate]]) -> None:
    """Write a journal that optuna and its dashboard open: a study an arm, a trial a rate."""
    import optuna
    from optuna.distributions import BaseDistribution, FloatDistribution
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(log)))
    for name, field in fields.items():
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
        rates = [_rate(candidate) for candidate in field]
        space: dict[str, BaseDistribution] = {
            "learning_rate": FloatDistribution(min(rates), max(rates), log=True)
        }
        for candidate in field:
            ended = TrialState.PRUNED if candidate.pruned_at else TrialState.COMPLETE
            scored = bool(candidate.scores) and candidate.error is None
            study.add_trial(
                create_trial(
                    state=ended if scored else TrialState.FAIL,
                    value=candidate.scores[max(candidate.scores)] if scored else None,
                    params={"learning_rate": _rate(candidate)},
                    distributions=space,
                    intermediate_values=candidate.scores,
                )
            )
