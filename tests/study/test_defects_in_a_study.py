"""A study's defects: which trials they add, and that these are marked, resumed and never ranked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from verirank.config import CONTENDERS, InputError, load_plugin
from verirank.ranking import read_confounds
from verirank.record import Run, find_runs, read_trial_list
from verirank.report import write_report
from verirank.study import (
    Store,
    Study,
    make_study,
    open_study,
    plan_study,
    read_study,
    resume_study,
    run_study,
    study_status,
)

Make = Callable[..., Study]
SHIPPED = Path(__file__).parents[2] / "studies" / "micro-confounds.toml"
DEFECTS = {
    "half-rank": {"methods": ["lora"], "settings": {"method.rank": 4}},
    "in-place-merging": {"methods": ["pissa"]},
    "redrawn-residual": {"methods": ["pissa"]},
    "one-evaluation-seed": {"methods": ["lora"]},
}


def planned(study: Study) -> set[tuple[str, str, str]]:
    trials = plan_study(study, probe=False).trials
    return {(t.method, t.axes["defect"], t.role) for t in trials if "defect" in t.axes}


def test_each_defect_adds_trials_of_its_methods_alone(small_study: Make) -> None:
    assert planned(small_study("lora", "pissa", defects=DEFECTS)) == {
        ("lora", "half-rank", "defective"),
        ("pissa", "in-place-merging", "defective"),
        ("pissa", "redrawn-residual", "rescored"),
        ("lora", "one-evaluation-seed", "rescored"),
    }


def test_an_arm_that_has_a_defects_settings_anyway_is_left_out(small_study: Make) -> None:
    rate = load_plugin("method", "lora").default_rates.micro
    defects = {"one-rate": {"settings": {"method.learning_rate": rate}}}
    found = planned(small_study("lora", "pissa", defects=defects))
    assert found == {("pissa", "one-rate", "defective")}


def test_a_fair_trial_has_the_same_name_whether_or_not_its_study_has_defects(
    small_study: Make,
) -> None:
    methods = ("lora", "pissa")
    plain, spoiled = small_study(*methods), small_study(*methods, defects=DEFECTS)
    assert plain.arms() == spoiled.arms()


@pytest.mark.parametrize(
    ("defects", "told"),
    [
        ({"in-place": {}}, "defect 'in-place' needs settings, save for in-place-merging"),
        ({"redrawn-residual": {"settings": {"seed": 1}}}, "which have none"),
        ({"half-rank": {"methods": ["dora"], "settings": {"method.rank": 4}}}, "does not train"),
        ({"half-rank": {"methods": ["lorra"], "settings": {"method.rank": 4}}}, "'lorra'"),
    ],
)
def test_a_defect_that_cannot_be_made_is_refused_in_one_line(
    defects: dict[str, object], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        make_study({"name": "s", "preset": "quickstart", "methods": ["lora"], "defects": defects})


@pytest.mark.parametrize(
    ("method", "defect", "told"),
    [
        ("eva", "in-place-merging", "method 'eva' starts from data; name the other methods"),
        ("ia3", "adapter-dropout", "method 'ia3' adds no product B A; name the other methods"),
    ],
)
def test_a_defect_that_does_not_suit_a_method_is_refused_before_anything_runs(
    method: str, defect: str, told: str, small_study: Make, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told):
        run_study(small_study("lora", method, defects={defect: {}}), tmp_path / "s")
    assert not (tmp_path / "s").exists()
    assert planned(small_study("lora", method, defects={defect: {"methods": ["lora"]}})) == {
        ("lora", defect, "defective")
    }


def test_a_setting_that_the_method_lacks_is_refused_before_anything_runs(
    small_study: Make, tmp_path: Path
) -> None:
    study = small_study("ia3", defects={"half-rank": {"settings": {"method.rank": 4}}})
    with pytest.raises(InputError, match=r"defect 'half-rank', ia3: unknown key 'method.rank'"):
        run_study(study, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_the_shipped_one_rate_is_loras_own_and_concerns_all_who_have_another() -> None:
    defect = read_study(SHIPPED).defects["one-rate"]
    rates = {m: load_plugin("method", m).default_rates.micro for m in CONTENDERS}
    assert defect.settings == {"method.learning_rate": rates["lora"]}
    assert set(defect.methods) == {m for m, rate in rates.items() if rate != rates["lora"]}


@pytest.mark.slow
def test_a_study_begun_before_there_were_defects_goes_on(small_study: Make, finished: Path) -> None:
    definition = finished / "study.toml"
    text = definition.read_text()
    definition.write_text(text.replace("[defects]\n", ""))
    assert definition.read_text() != text
    same, other = small_study("ia3", "ln-tuning"), small_study("ia3", "lora")
    assert [outcome.error for outcome in run_study(same, finished)] == [None, None]
    with pytest.raises(InputError, match="another study"):
        run_study(other, finished)


@pytest.mark.slow
def test_defective_trials_are_marked_rescored_without_training_and_never_ranked(
    small_study: Make, tmp_path: Path
) -> None:
    out = tmp_path / "s"
    outcomes = run_study(small_study("lora", "pissa", defects=DEFECTS), out)
    assert [outcome.error for outcome in outcomes] == [None] * 6
    listed = read_trial_list(out)
    assert listed is not None
    runs = {(e.method, e.defect): Run(listed.folder(e)) for e in listed.entries}
    marks = {defect: run.defect for (_, defect), run in runs.items() if defect}
    # What settings tell needs no mark: it is an ordinary trial, which other studies may share.
    assert marks == {name: name for name in DEFECTS} | {"half-rank": None}
    assert runs["lora", "half-rank"].settings["method"]["rank"] == 4
    for method, defect in (("pissa", "redrawn-residual"), ("lora", "one-evaluation-seed")):
        assert runs[method, defect].metrics() == runs[method, None].metrics()
        assert runs[method, defect].scores != runs[method, None].scores
    assert {run.folder.name for run in find_runs([out])} == {
        runs[method, None].folder.name for method in ("lora", "pissa")
    }
    write_report([out], out)
    found = read_confounds(out)
    assert found is not None
    assert [effect.defect for effect in found.effects] == list(DEFECTS)
    rows = json.loads((out / "leaderboard.json").read_text())["rows"]
    assert {row["label"] for row in rows} == {"lora", "pissa"}

    before = {f: f.stat().st_mtime_ns for f in (out / "trials").rglob("*") if f.is_file()}
    resume_study(out)
    assert {f: f.stat().st_mtime_ns for f in (out / "trials").rglob("*") if f.is_file()} == before
    assert study_status(out).count("done") == 6
    plan = plan_study(open_study(out), out=out, probe=False)
    assert plan.totals()["done"] == 6
    assert (
        Store(out / "trials").trial(open_study(out).arms()[0].trial(0)) == runs["lora", None].folder
    )
