"""How much of a gain controls explain; they are held against their method and never ranked."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from synthetic_runs import BASE_RATE, METHODS, write_run
from verirank.ranking import Explained, build_leaderboard, measure_controls
from verirank.record import TrialEntry, write_trial_list
from verirank.report import write_report

SEEDS = (0, 1, 2)
RATES = {"random-reward": BASE_RATE, "format-reward": 0.55}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of lora, at a rate of 0.725, with two controls, and of ia3 without any."""
    out = tmp_path_factory.mktemp("controls")
    entries, store = list[TrialEntry](), out / "trials"

    def add(name: str, method: str, seed: int, rate: float, control: str | None = None) -> None:
        recipe = replace(METHODS[method], rate=rate)
        marks = {"control": control} if control else {}
        write_run(store / name, method, recipe, seed=seed, problems=96, manifest=marks)
        pair = {"defect": control, "fair": f"{method}-{seed}"} if control else {}
        role = "control" if control else "ranked"
        entries.append(TrialEntry(name, role, method, seed, 3e-4, 60, **pair))

    for seed in SEEDS:
        for method in ("lora", "ia3"):
            add(f"{method}-{seed}", method, seed, METHODS[method].rate)
        for control, rate in RATES.items():
            add(f"lora-{control}-{seed}", "lora", seed, rate, control)
    write_trial_list(out, store, entries)
    write_report([out], out)
    return out


def rows(out: Path) -> dict[str, Explained]:
    found = measure_controls([out], build_leaderboard([out]))
    assert not found.missing
    assert {row.label for row in found.rows} == {"lora"}
    return {row.control: row for row in found.rows}


def test_a_control_that_gains_nothing_leaves_the_whole_gain_to_right_answers(out: Path) -> None:
    row = rows(out)["random-reward"]
    assert row.control_gain_low < 0 < row.control_gain_high
    assert row.explained == pytest.approx(0, abs=0.15)
    assert row.rest_low > 0
    assert row.rest == pytest.approx(row.avg_at_k - row.control_avg_at_k)


def test_the_share_is_what_the_control_gains_of_the_methods_gain(out: Path) -> None:
    row = rows(out)["format-reward"]
    assert row.control_gain_low > 0
    assert row.explained == pytest.approx(row.control_gain / row.gain)
    assert (
        row.explained is not None
        and row.explained_low is not None
        and row.explained_high is not None
    )
    assert 0.3 < row.explained_low < row.explained < row.explained_high < 0.75
    assert row.explained_high - row.explained_low > 0.05
    assert row.rest + row.control_gain == pytest.approx(row.gain)
    assert row.seeds == len(SEEDS)


def test_controls_are_not_ranked_neither_in_a_study_nor_in_a_bare_store(out: Path) -> None:
    for folder in (out, out / "trials"):
        board = build_leaderboard([folder])
        assert {row.label for row in board.rows} == {"lora", "ia3"}
        assert board.runs == 2 * len(SEEDS)
    assert {run.reason for run in board.not_scored} == {
        f"it is a control: {name}" for name in RATES
    }
    assert not any(run.is_lost and run.may_be_ranked for run in board.not_scored)


def test_every_number_of_the_page_is_in_a_file_beside_it(out: Path) -> None:
    with (out / "controls.csv").open() as file:
        written = {row["control"]: row for row in csv.DictReader(file)}
    assert float(written["format-reward"]["explained"]) == pytest.approx(
        rows(out)["format-reward"].explained
    )
    page = (out / "report.html").read_text()
    assert "How much of the gain the controls explain" in page
    assert "format-reward" in page


def test_a_share_of_a_gain_that_is_not_proven_is_not_given(tmp_path: Path) -> None:
    entries = list[TrialEntry]()
    for seed in SEEDS:
        recipe = replace(METHODS["lora"], rate=BASE_RATE)
        marks = {"control": "random-reward"}
        write_run(tmp_path / f"trials/fair-{seed}", "lora", recipe, seed=seed)
        write_run(
            tmp_path / f"trials/control-{seed}", "lora", recipe, seed=seed + 10, manifest=marks
        )
        pair = {"defect": "random-reward", "fair": f"fair-{seed}"}
        entries.append(TrialEntry(f"fair-{seed}", "ranked", "lora", seed, 3e-4, 60))
        entries.append(TrialEntry(f"control-{seed}", "control", "lora", seed, 3e-4, 60, **pair))
    write_trial_list(tmp_path, tmp_path / "trials", entries)
    (row,) = measure_controls([tmp_path], build_leaderboard([tmp_path])).rows
    assert (row.explained, row.explained_low, row.explained_high) == (None, None, None)


def test_failed_controls_have_a_line_each_with_the_reason_though_none_was_scored(
    tmp_path: Path,
) -> None:
    entries = list[TrialEntry]()
    for seed in SEEDS:
        failed = {"control": "format-reward", "status": "failed", "error": f"no signal {seed}"}
        write_run(tmp_path / f"trials/fair-{seed}", "lora", METHODS["lora"], seed=seed)
        write_run(
            tmp_path / f"trials/control-{seed}", "lora", METHODS["lora"], seed=seed, manifest=failed
        )
        pair = {"defect": "format-reward", "fair": f"fair-{seed}"}
        entries.append(TrialEntry(f"fair-{seed}", "ranked", "lora", seed, 3e-4, 60))
        entries.append(TrialEntry(f"control-{seed}", "control", "lora", seed, 3e-4, 60, **pair))
    write_trial_list(tmp_path, tmp_path / "trials", entries)
    write_report([tmp_path], tmp_path)
    page = (tmp_path / "report.html").read_text()
    for seed in SEEDS:
        why = f"format-reward, seed {seed}: its status is failed: no signal {seed}"
        assert page.count(why) == 1
    assert "What each control gains over the base" not in page
