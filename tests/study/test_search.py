"""The fair protocol's search: budgets that are equal, decisions that repeat, winners that won."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import optuna
import pytest

from verirank.config import InputError, TrialConfig
from verirank.study import SearchConfig, Store, make_study, trial_id
from verirank.study._search import (
    _Candidate,
    _prune,
    candidates,
    expected_work,
    rungs,
    search_rates,
)
from verirank.study._trial import Rung

DEFAULT = SearchConfig()


def arms_of(*methods: str) -> list[TrialConfig]:
    return make_study({"name": "s", "preset": "quickstart", "methods": list(methods)}).arms()


def rates_of(arm: TrialConfig, search: SearchConfig) -> list[float]:
    return [trial.method.learning_rate or 0.0 for trial in candidates(arm, search)]


class Scorer:
    """Writes the scores that a search reads, by a rule over rate and steps, and counts its work."""

    def __init__(
        self,
        store: Store,
        best: dict[str, float],
        search: SearchConfig = DEFAULT,
        broken: Sequence[str] = (),
        passing: bool = False,
    ) -> None:
        self.store, self.best, self.search = store, best, search
        self.broken, self.passing = broken, passing
        self.steps: dict[str, int] = {}

    def __call__(self, trials: Sequence[TrialConfig], rung: Rung) -> None:
        for trial in trials:
            self.steps[trial_id(trial)] = rung.steps
            run = self.store.search_trial(trial, self.search)
            self.store.start(trial, run)
            if trial.method.name in self.broken:
                failed = {"status": "failed", "error": "diverged", "passing": self.passing}
                (run / "manifest.json").write_text(json.dumps(failed))
                continue
            rate = trial.method.learning_rate or 0.0
            wanted = self.best[trial.method.name]
            value = min(rate, wanted) / max(rate, wanted)
            path = run / "selection.json"
            scores = json.loads(path.read_text()) if path.is_file() else {}
            scores[str(rung.steps)] = {"avg_at_k": value, "bench": rung.bench}
            path.write_text(json.dumps(scores))


def test_rates_are_spaced_evenly_in_log_around_the_prior_nearest_first() -> None:
    (arm,) = arms_of("lora")
    rates = rates_of(arm, SearchConfig(learning_rates=5, span=100))
    assert rates[0] == arm.method.learning_rate == 1e-3
    assert sorted(rates) == pytest.approx([1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2])


def test_every_method_gets_the_same_number_of_trials_on_a_seed_that_is_not_ranked() -> None:
    search = SearchConfig(learning_rates=4)
    for arm in arms_of("lora", "full", "ia3"):
        trials = candidates(arm, search)
        assert len({trial_id(trial) for trial in trials}) == 4
        assert {trial.seed for trial in trials} == {1000}


def test_rungs_multiply_until_the_last_step() -> None:
    assert rungs(60, SearchConfig(first_steps=15, reduction=2)) == [15, 30, 60]
    assert rungs(50, SearchConfig(first_steps=5, reduction=3)) == [5, 15, 45, 50]
    assert rungs(10, SearchConfig(first_steps=15)) == [10]


@pytest.mark.parametrize("place", range(5))
def test_the_best_rate_wins_wherever_it_stands(tmp_path: Path, place: int) -> None:
    (arm,) = arms_of("lora")
    search = SearchConfig(learning_rates=5)
    wanted = sorted(rates_of(arm, search))[place]
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": wanted}, search)
    (winner,) = search_rates([arm], search, scorer.store, tmp_path, scorer).arms
    assert winner.method.learning_rate == wanted
    (line,) = json.loads((tmp_path / "search.json").read_text())["arms"]
    assert line["winner"] == wanted
    assert line["at_edge"] == (place in (0, 4))
    assert line["steps"] == sum(scorer.steps.values())


def test_halving_spends_less_than_every_trial_to_its_end(tmp_path: Path) -> None:
    (arm,) = arms_of("lora")
    search = SearchConfig(learning_rates=5)
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3}, search)
    search_rates([arm], search, scorer.store, tmp_path, scorer)
    assert sorted(scorer.steps.values()) == [15, 15, 15, 30, 50]


@pytest.mark.parametrize(("first", "told"), [(15, "After 15, 30 steps"), (50, "none was dropped")])
def test_the_rule_says_whether_learning_rates_are_dropped_before_the_end(
    tmp_path: Path, first: int, told: str
) -> None:
    (arm,) = arms_of("lora")
    search = SearchConfig(learning_rates=3, first_steps=first)
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3}, search)
    search_rates([arm], search, scorer.store, tmp_path, scorer)
    rule = json.loads((tmp_path / "search.json").read_text())["rule"]
    assert told in rule
    assert ("go on" in rule) == (first < arm.training.steps)


def test_optuna_is_silent_where_no_rate_is_dropped_either(tmp_path: Path) -> None:
    (arm,) = arms_of("lora")
    search = SearchConfig(learning_rates=3, first_steps=50)
    optuna.logging.set_verbosity(optuna.logging.INFO)
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3}, search)
    search_rates([arm], search, scorer.store, tmp_path, scorer)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


@pytest.mark.parametrize(("rates", "reduction", "first"), [(5, 2, 15), (7, 3, 4), (1, 2, 9)])
def test_the_work_that_is_planned_of_a_search_is_its_work(
    tmp_path: Path, rates: int, reduction: int, first: int
) -> None:
    (arm,) = arms_of("lora")
    search = SearchConfig(learning_rates=rates, reduction=reduction, first_steps=first)
    scorer, scores = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3}, search), list[int]()

    def execute(trials: Sequence[TrialConfig], rung: Rung) -> None:
        scores.append(len(trials))
        scorer(trials, rung)

    search_rates([arm], search, scorer.store, tmp_path, execute)
    steps, scored = expected_work(arm.training.steps, search)
    assert steps * rates == pytest.approx(sum(scorer.steps.values()))
    assert scored * rates == pytest.approx(sum(scores))


def test_a_search_that_goes_on_takes_the_same_decisions(tmp_path: Path) -> None:
    arms = arms_of("lora", "full")
    search = SearchConfig()
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 3e-4, "full": 1e-3})
    first = search_rates(arms, search, scorer.store, tmp_path, scorer)
    told = (tmp_path / "search.json").read_text()
    again = search_rates(arms, search, scorer.store, tmp_path, lambda trials, rung: None)
    assert again == first
    assert (tmp_path / "search.json").read_text() == told


def test_an_arm_that_fails_is_told_and_the_others_are_ranked(tmp_path: Path) -> None:
    arms = arms_of("lora", "full")
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3}, broken=["full"])
    found = search_rates(arms, SearchConfig(), scorer.store, tmp_path, scorer)
    assert [arm.method.name for arm in found.arms] == ["lora"]
    (why,) = found.failures.values()
    assert why == "no learning rate came to its end: diverged"
    assert not found.undecided
    lora, full = json.loads((tmp_path / "search.json").read_text())["arms"]
    assert {trial["error"] for trial in full["trials"]} == {"diverged"}
    assert lora["winner"] == 1e-3


def test_a_fault_of_the_machine_leaves_its_arm_undecided_until_resumed(tmp_path: Path) -> None:
    arms = arms_of("lora", "full")
    best = {"lora": 1e-3, "full": 3.3e-5}
    scorer = Scorer(Store(tmp_path / "trials"), best, broken=["full"], passing=True)
    found = search_rates(arms, SearchConfig(), scorer.store, tmp_path, scorer)
    assert [arm.method.name for arm in found.arms] == ["lora"]
    assert "undecided until resumed" in next(iter(found.failures.values()))
    assert found.undecided == found.failures.keys()
    scorer.broken = ()
    found = search_rates(arms, SearchConfig(), scorer.store, tmp_path, scorer)
    assert [arm.method.learning_rate for arm in found.arms] == [1e-3, 3.3e-5]


def test_a_damaged_record_leaves_its_arm_undecided(tmp_path: Path) -> None:
    arms, search = arms_of("lora", "full"), SearchConfig()
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3, "full": 3.3e-5})

    def execute(trials: Sequence[TrialConfig], rung: Rung) -> None:
        scorer(trials, rung)
        damaged = scorer.store.search_trial(candidates(arms[1], search)[0], search)
        (damaged / "selection.json").write_text("{")

    found = search_rates(arms, search, scorer.store, tmp_path, execute)
    assert [arm.method.name for arm in found.arms] == ["lora"]
    (why,) = found.failures.values()
    assert "undecided until resumed" in why and "selection.json" in why


@pytest.mark.parametrize(
    "scores", [[0.0] * 5, [0.0, 0.3, 0.0, 0.0, 0.3], [0.1, 0.3, 0.3, 0.3, 0.2]]
)
def test_as_many_go_on_where_scores_are_equal_the_lower_rates(scores: list[float]) -> None:
    (arm,) = arms_of("lora")
    trials = candidates(arm, DEFAULT)
    field = [_Candidate(t, Path(), {15: score}) for t, score in zip(trials, scores, strict=True)]
    _prune(field, 2, 15)
    best = sorted(field, key=lambda c: (-c.scores[15], c.config.method.learning_rate))
    assert [c for c in field if c.goes_on] == [c for c in field if c in best[:2]]


@pytest.mark.parametrize("failed", range(5))
def test_as_many_go_on_where_trials_fail(failed: int) -> None:
    (arm,) = arms_of("lora")
    field = [_Candidate(trial, Path(), {}) for trial in candidates(arm, DEFAULT)]
    for place, candidate in enumerate(field):
        if place < failed:
            candidate.error = "diverged"
        else:
            candidate.scores[15] = place / 10
    _prune(field, 2, 15)
    assert sum(c.goes_on for c in field) == min(2, 5 - failed)


@pytest.mark.parametrize("scores", list(permutations([0.5, 0.4, 0.3, 0.1])))
def test_the_best_half_goes_on_whatever_the_order(scores: tuple[float, ...]) -> None:
    (arm,) = arms_of("lora")
    field = [_Candidate(arm, Path(), {15: score}) for score in scores]
    _prune(field, 2, 15)
    assert {c.scores[15] for c in field if c.goes_on} == {0.5, 0.4}


def test_every_arm_is_given_the_same_steps(tmp_path: Path) -> None:
    arms = arms_of("lora", "full", "ia3")
    best = {"lora": 1e-4, "full": 1e-2, "ia3": 0.03}
    scorer = Scorer(Store(tmp_path / "trials"), best)
    search_rates(arms, SearchConfig(), scorer.store, tmp_path, scorer)
    lines = json.loads((tmp_path / "search.json").read_text())["arms"]
    assert len({line["steps"] for line in lines}) == 1


def test_rates_that_round_to_the_same_are_refused() -> None:
    (arm,) = arms_of("lora")
    with pytest.raises(InputError, match="not distinct"):
        candidates(arm, SearchConfig(learning_rates=9, span=1.001))


def test_the_log_opens_in_optuna(tmp_path: Path) -> None:
    (arm,) = arms_of("lora")
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3})
    search_rates([arm], SearchConfig(), scorer.store, tmp_path, scorer)
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "search.log"))
    storage = optuna.storages.JournalStorage(backend)
    study = optuna.load_study(study_name=trial_id(arm), storage=storage)
    states = [trial.state for trial in study.trials]
    assert states.count(optuna.trial.TrialState.PRUNED) == 4
    assert study.best_params["learning_rate"] == 1e-3
    (tmp_path / "search.log").unlink()  # as after a kill just before it was written
    search_rates([arm], SearchConfig(), scorer.store, tmp_path, scorer)
    assert (tmp_path / "search.log").is_file()
