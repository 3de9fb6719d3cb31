"""The fair protocol's search: equal learning-rate trials a method, successively halved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verirank.config import InputError, TrialConfig
from verirank.record import Run, write_json
from verirank.study._definition import SearchConfig, with_learning_rate, with_seed
from verirank.study._store import Store, trial_id
from verirank.study._trial import Rung

RULE = (
    "Each method is trained at {n} learning rates, spaced evenly in log over a factor of {span:g} "
    "around its prior, with seed {seed}, which is not ranked. Scores are Avg@k on the bench "
    "{bench!r}, never a test set. After {rungs} steps a trial goes on if it is among the best "
    "1/{reduction} of its method's trials scored so far, in the order of their distance from the "
    "prior (optuna's SuccessiveHalvingPruner); the best score at the last step wins."
)
Execute = Callable[[Sequence[TrialConfig], Rung], None]


@dataclass
class _Candidate:
    """A learning rate on trial: its scores by steps, and where it ended, if it did."""

    config: TrialConfig
    scores: dict[int, float]
    pruned_at: int | None = None
    error: str | None = None

    @property
    def goes_on(self) -> bool:
        return self.pruned_at is None and self.error is None


def candidates(arm: TrialConfig, search: SearchConfig) -> list[TrialConfig]:
    """Return an arm's trials of the search, those nearest to the prior first."""
    prior, n = arm.method.learning_rate, search.learning_rates
    assert prior is not None  # an arm's learning rate is spelled out
    places = sorted((i / (n - 1) - 0.5 if n > 1 else 0.0 for i in range(n)), key=abs)
    rates = [float(f"{prior * search.span**place:.2g}") for place in places]
    return [with_seed(with_learning_rate(arm, rate), search.seed) for rate in rates]


def rungs(steps: int, search: SearchConfig) -> list[int]:
    """Return after how many steps the trials are scored, the last at the end."""
    found, at = [], search.first_steps
    while at < steps:
        found.append(at)
        at *= search.reduction
    return [*found, steps]


def search_rates(
    arms: Sequence[TrialConfig], search: SearchConfig, store: Store, out: Path, execute: Execute
) -> list[TrialConfig]:
    """Return every arm at the learning rate that won on the selection bench.

    Nothing is remembered beside the runs' own records: a search that goes on after a crash takes
    the same decisions again from the same scores. Writes OUT/search.json, and OUT/search.log for
    optuna's own tools.

    Args:
        arms: at their priors.
        search: the budget.
        store: holds the trials.
        out: the study's folder.
        execute: takes trials to a rung; those that are there are left alone.

    Raises:
        InputError: every trial of an arm failed.
    """
    fields = {trial_id(arm): [_Candidate(c, {}) for c in candidates(arm, search)] for arm in arms}
    asked = _ask_optuna(fields, search, out)
    steps = {trial_id(arm): rungs(arm.training.steps, search) for arm in arms}
    for number in range(max(map(len, steps.values()))):
        for at in sorted({at[number] for at in steps.values() if number < len(at)}):
            here = [name for name in fields if steps[name][number : number + 1] == [at]]
            going = [c for name in here for c in fields[name] if c.goes_on]
            execute([c.config for c in going], Rung(at, search.bench))
            for name in here:
                _decide(fields[name], *asked[name], store, at, last=at == steps[name][-1])
        _write(out, arms, fields, search)
    return [_winner(arm, fields[trial_id(arm)]) for arm in arms]


def _ask_optuna(
    fields: Mapping[str, list[_Candidate]], search: SearchConfig, out: Path
) -> dict[str, tuple[Any, list[Any]]]:
    """Return per arm a fresh study of optuna's and its trials, which ask its pruner."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    log = out / "search.log"
    log.unlink(missing_ok=True)
    storage = JournalStorage(JournalFileBackend(str(log)))
    pruner = optuna.pruners.SuccessiveHalvingPruner(
        min_resource=search.first_steps, reduction_factor=search.reduction
    )
    asked: dict[str, tuple[Any, list[Any]]] = {}
    for name, field in fields.items():
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", pruner=pruner
        )
        asked[name] = (study, [])
        for candidate in field:
            study.enqueue_trial({"learning_rate": candidate.config.method.learning_rate})
            trial = study.ask()
            trial.suggest_float("learning_rate", 1e-12, 1e3, log=True)
            asked[name][1].append(trial)
    return asked


def _decide(
    field: list[_Candidate],
    study: Any,
    trials: list[Any],
    store: Store,
    steps: int,
    *,
    last: bool,
) -> None:
    """Read the scores of a rung and tell which trials end there."""
    from optuna.trial import TrialState

    for candidate, trial in zip(field, trials, strict=True):
        if not candidate.goes_on:
            continue
        run = Run(store.trial(candidate.config))
        score = run.selection.get(str(steps))
        if score is None:
            candidate.error = str(run.manifest.get("error", "it has no score"))
            study.tell(trial, state=TrialState.FAIL)
            continue
        candidate.scores[steps] = score["avg_at_k"]
        trial.report(score["avg_at_k"], steps)
        if last:
            study.tell(trial, score["avg_at_k"])
        elif trial.should_prune():
            candidate.pruned_at = steps
            study.tell(trial, state=TrialState.PRUNED)
            run.update_manifest(status="pruned")


def _winner(arm: TrialConfig, field: list[_Candidate]) -> TrialConfig:
    finished = [c for c in field if c.goes_on]
    if not finished:
        errors = "; ".join(sorted({c.error for c in field if c.error}))
        raise InputError(f"no learning rate of {arm.method.name} came to its end: {errors}")
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
) -> None:
    """Write search.json: the rule, and per arm every trial with its scores and its end."""
    content = [_arm_line(arm, fields[trial_id(arm)]) for arm in arms]
    shown = sorted({step for arm in arms for step in rungs(arm.training.steps, search)[:-1]})
    rule = RULE.format(
        n=search.learning_rates,
        span=search.span,
        seed=search.seed,
        bench=search.bench,
        rungs=", ".join(map(str, shown)),
        reduction=search.reduction,
    )
    write_json(out / "search.json", {"rule": rule, "bench": search.bench, "arms": content})


def _arm_line(arm: TrialConfig, field: list[_Candidate]) -> dict[str, Any]:
    going = [c for c in field if c.goes_on]
    finished = all(c.scores and max(c.scores) == arm.training.steps for c in going)
    winner = _winner(arm, field).method.learning_rate if going and finished else None
    rates = [_rate(c) for c in field]
    return {
        "id": trial_id(arm),
        "method": arm.method.name,
        "prior": arm.method.learning_rate,
        "winner": winner,
        "at_edge": winner in (min(rates), max(rates)) and len(rates) > 1,
        "steps": sum(max(c.scores, default=0) for c in field),
        "trials": [
            {
                "id": trial_id(c.config),
                "learning_rate": _rate(c),
                "scores": {str(steps): value for steps, value in c.scores.items()},
                "pruned_at": c.pruned_at,
                "error": c.error,
            }
            for c in sorted(field, key=_rate)
        ],
    }
