"""The fair protocol's search: budgets that are equal, decisions that repeat, winners that won."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from verirank.config import FailureKind, InputError, TrialConfig
from verirank.record import Run, write_samples
from verirank.study import Arm, SearchConfig, Store, make_study
from verirank.study._search import search_rates, search_trials
from verirank.trial import Rung, record_failure, trial_id

DEFAULT = SearchConfig()
PROBLEMS = 40


def arms_of(*methods: str) -> list[Arm]:
    return make_study(
        {"name": "s", "preset": "quickstart", "methods": list(methods), "seeds": [0, 1, 2]}
    ).arms()


def rates_of(arm: Arm, search: SearchConfig) -> list[float]:
    return list(dict.fromkeys(rate for rate, _ in search_trials(arm, search)))


class Scorer:
    """Writes the samples that a search reads, by a rule over rate, and counts its work."""

    def __init__(
        self,
        store: Store,
        best: dict[str, float],
        search: SearchConfig = DEFAULT,
        broken: Sequence[str] = (),
        kind: FailureKind = "diverged",
    ) -> None:
        self.store, self.best, self.search = store, best, search
        self.broken = broken
        self.kind: FailureKind = kind
        self.steps: dict[str, int] = {}
        self.scored = 0

    def __call__(self, trials: Sequence[TrialConfig], rung: Rung) -> None:
        for trial in trials:
            self.steps[trial_id(trial)] = rung.steps
            folder = self.store.search_trial(trial, self.search)
            self.store.start(trial, folder)
            if trial.method.name in self.broken:
                record_failure(Run(folder), "diverged", self.kind)
                continue
            self.scored += 1
            self._write(Run(folder), trial, rung)

    def _write(self, run: Run, trial: TrialConfig, rung: Rung) -> None:
        """Solve as many problems as the rate is near the best, by one line a problem and sample."""
        distance = np.log10((trial.method.learning_rate or 0.0) / self.best[trial.method.name])
        chance = max(0.05, 0.9 - 0.3 * distance**2)
        generator = np.random.default_rng(trial.seed)
        right = generator.random((PROBLEMS, 8)) < chance
        rows = [
            {"stage": "after", "problem": f"{p:03}", "sample": k, "correct": bool(right[p, k])}
            for p in range(PROBLEMS)
            for k in range(8)
        ]
        write_samples(run.selection_file(rung.steps), [pa.Table.from_pylist(rows)])
        path = run.folder / "selection.json"
        scores = json.loads(path.read_text()) if path.is_file() else {}
        scores[str(rung.steps)] = {"avg_at_k": float(right.mean()), "bench": rung.bench}
        path.write_text(json.dumps(scores))


def lines_of(out: Path) -> list[dict]:
    return json.loads((out / "search.json").read_text())["arms"]


def test_rates_are_spaced_evenly_in_log_around_the_prior_nearest_first() -> None:
    (arm,) = arms_of("lora")
    rates = rates_of(arm, SearchConfig(learning_rates=5, span=100))
    assert rates[0] == arm.learning_rate == 1e-3
    assert sorted(rates) == pytest.approx([1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2])


def test_every_method_gets_the_same_rates_and_seeds_and_none_is_ranked() -> None:
    search = SearchConfig(learning_rates=4)
    for arm in arms_of("lora", "full", "ia3"):
        trials = search_trials(arm, search).values()
        assert len({trial_id(trial) for trial in trials}) == 12
        assert {trial.seed for trial in trials} == {1000, 1001, 1002}


@pytest.mark.parametrize("place", range(5))
def test_the_best_rate_wins_wherever_it_stands(tmp_path: Path, place: int) -> None:
    (arm,) = arms_of("lora")
    wanted = sorted(rates_of(arm, DEFAULT))[place]
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": wanted})
    result = search_rates([arm], DEFAULT, 0, scorer.store, tmp_path, scorer)
    (line,) = lines_of(tmp_path)
    assert result.winners == {arm.name: line["winner"]}
    assert line["best_trained"] == wanted
    assert abs(np.log10(line["winner"] / wanted)) <= 0.1
    assert line["at_edge"] == (place in (0, 4))
    assert line["steps"] == sum(scorer.steps.values())
    assert 0 <= line["variance"] < 0.02**2


def test_a_rate_that_is_surely_worse_costs_half_its_steps(tmp_path: Path) -> None:
    (arm,) = arms_of("lora")
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3})
    search_rates([arm], DEFAULT, 0, scorer.store, tmp_path, scorer)
    assert sorted(scorer.steps.values()) == [25] * 6 + [50] * 9
    (line,) = lines_of(tmp_path)
    assert line["rungs"] == [25, 38, 50]
    dropped = {trial["learning_rate"] for trial in line["trials"] if trial["pruned_at"] == 25}
    assert dropped == {1e-4, 1e-2}


@pytest.mark.parametrize(
    ("fractions", "told"), [((0.5, 0.75), "After 25, 38 steps"), ((), "none was dropped")]
)
def test_the_rule_says_whether_learning_rates_are_dropped_before_the_end(
    tmp_path: Path, fractions: tuple[float, ...], told: str
) -> None:
    (arm,) = arms_of("lora")
    search = SearchConfig(learning_rates=3, rungs=fractions)
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3}, search)
    search_rates([arm], search, 0, scorer.store, tmp_path, scorer)
    rule = json.loads((tmp_path / "search.json").read_text())["rule"]
    assert told in rule and "seeds 1000, 1001, 1002" in rule
    assert ("surely worse" in rule) == bool(fractions)


@pytest.mark.parametrize("best", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("search", [DEFAULT, SearchConfig(learning_rates=7, rungs=(0.3,))])
def test_no_search_does_more_work_than_is_planned_of_it(
    tmp_path: Path, search: SearchConfig, best: float
) -> None:
    (arm,) = arms_of("lora")
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": best}, search)
    search_rates([arm], search, 0, scorer.store, tmp_path, scorer)
    trials = search.learning_rates * len(search.seeds)
    assert sum(scorer.steps.values()) < trials * arm.steps
    assert scorer.scored < trials * (len(search.rungs) + 1)


def test_a_search_that_goes_on_takes_the_same_decisions(tmp_path: Path) -> None:
    arms = arms_of("lora", "full")
    search = SearchConfig()
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 3e-4, "full": 1e-3})
    first = search_rates(arms, search, 0, scorer.store, tmp_path, scorer)
    record = (tmp_path / "search.json").read_text()
    again = search_rates(arms, search, 0, scorer.store, tmp_path, lambda trials, rung: None)
    assert again == first
    assert (tmp_path / "search.json").read_text() == record


def test_a_search_killed_at_any_rung_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    arms = arms_of("lora", "adalora")
    best = {"lora": 3e-4, "adalora": 2e-2}
    whole = Scorer(Store(tmp_path / "whole"), best)
    expected = search_rates(arms, DEFAULT, 0, whole.store, tmp_path, whole)
    record = lines_of(tmp_path)
    killed = Scorer(Store(tmp_path / "killed"), best)
    out = tmp_path / "again"
    out.mkdir()

    def execute(trials: Sequence[TrialConfig], rung: Rung) -> None:
        missing = [
            t
            for t in trials
            if str(rung.steps) not in Run(killed.store.search_trial(t, DEFAULT)).selection
        ]
        killed(missing[: len(missing) // 2 + 1], rung)
        if len(missing) > 1:
            raise KeyboardInterrupt

    kills, found = 0, None
    while found is None:
        try:
            found = search_rates(arms, DEFAULT, 0, killed.store, out, execute)
        except KeyboardInterrupt:
            kills += 1
    assert kills > 5 and found == expected
    assert lines_of(out) == record


def test_an_arm_that_fails_is_told_and_the_others_are_ranked(tmp_path: Path) -> None:
    arms = arms_of("lora", "full")
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3}, broken=["full"])
    found = search_rates(arms, SearchConfig(), 0, scorer.store, tmp_path, scorer)
    assert list(found.winners) == [arms[0].name]
    (why,) = found.failures.values()
    assert why == "no learning rate came to its end: diverged"
    assert not found.undecided
    lora, full = json.loads((tmp_path / "search.json").read_text())["arms"]
    assert {trial["error"] for trial in full["trials"]} == {"diverged"}
    assert lora["best_trained"] == 1e-3 and full["winner"] is full["variance"] is None


def test_a_fault_of_the_machine_leaves_its_arm_undecided_until_resumed(tmp_path: Path) -> None:
    arms = arms_of("lora", "full")
    best = {"lora": 1e-3, "full": 3.3e-5}
    scorer = Scorer(Store(tmp_path / "trials"), best, broken=["full"], kind="machine")
    found = search_rates(arms, SearchConfig(), 0, scorer.store, tmp_path, scorer)
    assert list(found.winners) == [arms[0].name]
    assert "undecided until resumed" in next(iter(found.failures.values()))
    assert found.undecided == found.failures.keys()
    scorer.broken = ()
    found = search_rates(arms, SearchConfig(), 0, scorer.store, tmp_path, scorer)
    assert list(found.winners.values()) == pytest.approx([1e-3, 3.3e-5], rel=0.3)


@pytest.mark.parametrize("damaged", ["selection.json", "selection/step-38.parquet"])
def test_a_damaged_record_leaves_its_arm_undecided(tmp_path: Path, damaged: str) -> None:
    arms, search = arms_of("lora", "full"), SearchConfig()
    scorer = Scorer(Store(tmp_path / "trials"), {"lora": 1e-3, "full": 3.3e-5})
    one = scorer.store.search_trial(next(iter(search_trials(arms[1], search).values())), search)

    def execute(trials: Sequence[TrialConfig], rung: Rung) -> None:
        scorer(trials, rung)
        if (one / damaged).is_file():
            (one / damaged).write_text("{")

    found = search_rates(arms, search, 0, scorer.store, tmp_path, execute)
    assert list(found.winners) == [arms[0].name]
    (why,) = found.failures.values()
    assert "undecided until resumed" in why and damaged in why


def test_rates_that_round_to_the_same_are_refused() -> None:
    (arm,) = arms_of("lora")
    with pytest.raises(InputError, match="not distinct"):
        search_trials(arm, SearchConfig(learning_rates=9, span=1.001))
