"""Real races: seeds until the question is answered, killed and resumed, with a budget, on Ray."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_line import start
from verirank.cli.tables import render_plan
from verirank.config import MEASURES_NOTHING, InputError, to_toml
from verirank.ranking import build_leaderboard
from verirank.record import Run, read_race, read_trial_list
from verirank.statistics import EQUALITY_MARGIN, RaceDesign
from verirank.study import (
    LocalExecutor,
    RaceConfig,
    RayExecutor,
    Study,
    make_study,
    open_study,
    plan_study,
    resume_study,
    run_study,
    study_names,
    study_status,
)

Make = Callable[..., Study]
RACE = {"looks": [2, 3], "margin": 0.02, "search": False}


@pytest.fixture
def small_race(small_study: Make) -> Make:
    def make(*methods: str, race: dict[str, Any] | None = None, **settings: Any) -> Study:
        return small_study(*methods, protocol="race", race=RACE | (race or {}), **settings)

    return make


@pytest.fixture(scope="module")
def _whole_race(tmp_path_factory: pytest.TempPathFactory, small_study: Make) -> Path:
    out = tmp_path_factory.mktemp("race") / "s"
    run_study(small_study("lora", "ia3", protocol="race", race=RACE), out)
    return out


@pytest.fixture
def whole_race(_whole_race: Path, tmp_path: Path) -> Path:
    """A copy of a race of lora and ia3 that is over."""
    return shutil.copytree(_whole_race, tmp_path / "whole", copy_function=shutil.copy2)


def race_of(out: Path) -> dict[str, Any]:
    """Return race.json without what a trial took, which differs from run to run."""
    race = read_race(out)
    assert race is not None
    for arm in race["arms"]:
        assert arm.pop("hours") >= 0
    return race


def seeds_of(out: Path) -> dict[str, int]:
    listed = read_trial_list(out)
    assert listed is not None
    methods = [entry.method for entry in listed.entries]
    return {method: methods.count(method) for method in methods}


def spoil(out: Path, method: str, seed: int, kind: str = "diverged") -> None:
    """Turn a trial into one that failed by its own fault, or that measures nothing."""
    listed = read_trial_list(out)
    assert listed is not None
    (entry,) = [e for e in listed.entries if (e.method, e.seed) == (method, seed)]
    run = Run(listed.folder(entry))
    run.update_manifest(status="failed", error="DivergedError: at step 1", failure_kind=kind)


def test_a_race_that_names_no_seeds_has_those_of_its_last_look() -> None:
    study = make_study({"name": "r", "protocol": "race", "race": {"looks": [3, 6]}})
    assert study.seeds == tuple(range(6))
    assert make_study({"name": "r", "protocol": "race"}).seeds == tuple(range(12))
    assert sum(study.race.design.spent) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"race": {"looks": [5, 3]}}, "looks must be rising"),
        ({"race": {"looks": []}}, "looks must be rising"),
        ({"race": {"looks": ["a"]}}, "race.looks"),
        ({"race": {"budget": "200 hours"}}, "'60 trials'"),
        ({"race": {"margin": 0}}, "race.margin"),
        ({"race": {"marign": 0.1}}, "margin"),
        ({"race": 3}, "race"),
        ({"seeds": [0, 1, 2]}, "needs as many seeds"),
        ({"protocol": "fair", "seeds": [0, 1, 2], "race": {"margin": 0.1}}, "protocol = 'race'"),
        ({"seeds": list(range(990, 1002))}, "seed 1000 is the search's"),
    ],
)
def test_what_is_wrong_with_a_race_is_said(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_study({"name": "r", "protocol": "race"} | settings)


def test_the_shipped_race_resolves() -> None:
    assert "micro-race" in study_names()


def test_a_race_calls_equal_what_the_leaderboard_does() -> None:
    assert RaceConfig().margin == RaceDesign().margin == EQUALITY_MARGIN


@pytest.mark.slow
def test_a_killed_race_goes_on_to_the_same_end_and_one_that_is_over_does_nothing(
    tmp_path: Path, small_race: Make, whole_race: Path
) -> None:
    study, out = small_race("lora", "ia3"), tmp_path / "s"
    file = tmp_path / "race.toml"
    file.write_text(to_toml(study), "utf-8")
    process = start("study", "run", file, "--out", out)
    while len(list(out.glob("trials/*/eval.json"))) < 2 and process.is_running:
        time.sleep(0.05)
    process.send(signal.SIGKILL)
    process.wait()
    interrupted = read_race(out)
    assert interrupted is not None and not interrupted["is_over"]
    assert all(outcome.error is None for outcome in resume_study(out))
    race = race_of(out)
    assert race == race_of(whole_race) and race["is_over"]
    assert {arm["end"] for arm in race["arms"]} <= {"leader", "behind", "equal", "open"}
    assert seeds_of(out) == {arm["method"]: arm["seeds"] for arm in race["arms"]}
    written = {f: f.stat().st_mtime_ns for f in out.rglob("*.json")}
    resume_study(out)
    assert {f: f.stat().st_mtime_ns for f in out.rglob("*.json")} == written
    status = study_status(out)
    assert status.race is not None and status.race.is_over


@pytest.mark.slow
def test_a_finished_study_goes_on_as_a_race_and_failed_trials_count_as_the_base(
    two_seeds: Path, small_race: Make
) -> None:
    out = two_seeds
    trained = {f: f.stat().st_mtime_ns for f in out.glob("trials/*/eval.json")}
    spoil(out, "ia3", 1)
    with pytest.raises(InputError, match="another study"):
        run_study(small_race("lora", "miss"), out)
    outcomes = run_study(small_race("lora", "ia3"), out)
    assert [o.error for o in outcomes if o.error] == ["DivergedError: at step 1"]
    assert open_study(out).protocol == "race"
    assert {f: f.stat().st_mtime_ns for f in trained} == trained
    arms = {arm["method"]: arm for arm in race_of(out)["arms"]}
    assert arms["ia3"]["failed"] == 1 and arms["ia3"]["mean"] is not None


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(MEASURES_NOTHING))
def test_an_arm_of_which_a_trial_measures_nothing_is_out_and_never_scored_as_the_base(
    two_seeds: Path, small_race: Make, kind: str
) -> None:
    out = two_seeds
    spoil(out, "ia3", 1, kind)
    run_study(small_race("lora", "ia3"), out)
    race = race_of(out)
    arms = {arm["method"]: arm for arm in race["arms"]}
    assert (arms["ia3"]["end"], arms["ia3"]["mean"]) == ("unmeasured", None)
    assert race["is_over"] and race["leader"] == arms["lora"]["id"]
    assert seeds_of(out) == {"lora": 2, "ia3": 2}
    rows = {row.method: row for row in build_leaderboard([out]).main}
    assert rows["ia3"].seeds == 1 and rows["ia3"].failed == ()


@pytest.mark.slow
def test_a_budget_ends_a_race_and_a_larger_one_lets_it_go_on(
    tmp_path: Path, small_race: Make
) -> None:
    out = tmp_path / "s"
    # Three looks on a margin that nothing is within: every arm would be trained to the end.
    wide = {"looks": [2, 3, 4], "margin": 1e-6, "error": 1e-9}
    run_study(small_race("lora", "ia3", race=wide | {"budget": "5 trials"}), out)
    race = race_of(out)
    ends = {arm["end"] for arm in race["arms"]}
    if race["decisions"][0]["going_on"]:
        assert race["out_of_budget"] and race["is_over"] and ends == {"leader", "budget"}
        assert seeds_of(out) == {"lora": 2, "ia3": 2}
    run_study(small_race("lora", "ia3", race=wide | {"budget": "60 trials"}), out)
    assert not race_of(out)["out_of_budget"]


@pytest.mark.slow
def test_a_trial_that_the_machine_failed_holds_the_next_look_up(
    whole_race: Path,
) -> None:
    out, whole = whole_race, race_of(whole_race)
    listed = read_trial_list(out)
    assert listed is not None
    lost = Run(listed.folder(listed.entries[0]))
    lost.update_manifest(status="failed", error="killed", failure_kind="machine")
    shutil.rmtree(lost.folder / "eval")
    resume_study(out, executor=LocalExecutor(1))
    assert race_of(out) == whole


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("ray")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_race_on_ray_says_the_same(
    tmp_path: Path, small_race: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is an extra: make ray")
    # Ray's workers let everybody else go first, the tests beside these among them.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    study = small_race("lora", "ia3", race={"looks": [2]})
    run_study(study, tmp_path / "local")
    run_study(study, tmp_path / "ray", executor=RayExecutor())
    assert json.dumps(race_of(tmp_path / "ray")) == json.dumps(race_of(tmp_path / "local"))


def test_a_plan_tells_what_a_race_is_expected_to_train(small_race: Make) -> None:
    study = small_race("lora", "ia3", "miss", race={"looks": [3, 5], "budget": "12 trials"})
    plan = plan_study(study, probe=False)
    assert plan.race is not None and len(plan.trials) == plan.race.most == 15
    assert plan.race.first == 9
    assert all(9 <= trials <= 15 for trials in plan.race.trials)
    assert plan.race.within == tuple(round(one) <= 12 for one in plan.race.trials)
    assert plan_study(small_race("lora"), probe=False).race is not None
    said = " ".join(str(render_plan(plan).renderables[-1]).split())
    assert "the most that the race trains" in said and "first look needs 9" in said
