"""How far a defect moves a method: only pairs are compared, and nothing defective is ranked."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthetic_runs import METHODS, write_run
from verirank.ranking import Confounds, Effect, build_leaderboard, measure_confounds, read_confounds
from verirank.record import Role, TrialEntry, write_trial_list
from verirank.report import write_report

SEEDS = (0, 1, 2)


def entry(name: str, role: Role, method: str, seed: int, **pair: str) -> TrialEntry:
    return TrialEntry(f"{name}-{seed}", role, method, seed, 3e-4, 60, **pair)


def write_study_with_a_defect(out: Path, *, loss: dict[str, float], **spoiled: Any) -> None:
    """Write fair runs, and one a method whose solve rate is lower by so much."""
    entries, store = list[TrialEntry](), out / "trials"
    for method, less in loss.items():
        worse = replace(METHODS[method], rate=METHODS[method].rate - less)
        for seed in SEEDS:
            write_run(store / f"{method}-{seed}", method, METHODS[method], seed=seed, problems=64)
            entries.append(entry(method, "ranked", method, seed))
            name, marks = f"{method}-bad", {"defect": "in-place-merging", **spoiled}
            write_run(
                store / f"{name}-{seed}", method, worse, seed=seed, problems=64, manifest=marks
            )
            pair = {"defect": "in-place-merging", "fair": f"{method}-{seed}"}
            entries.append(entry(name, "defective", method, seed, **pair))
    write_trial_list(out, store, entries)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("confounds")
    effect = {"defect_effect": {"base_drift": 0.002}}
    write_study_with_a_defect(out, loss={"lora": 0.3, "dora": 0.0}, **effect)
    write_report([out], out)
    return out


def effects(out: Path) -> dict[str, Effect]:
    found = read_confounds(out)
    assert found is not None
    assert not found.missing
    return {effect.label: effect for effect in found.effects}


def test_a_defect_that_costs_much_is_told_from_one_that_costs_nothing(out: Path) -> None:
    lora, dora = effects(out)["lora"], effects(out)["dora"]
    assert lora.low < -0.3 < lora.high < 0
    assert lora.resolved
    assert dora.difference == 0
    assert not dora.resolved
    assert lora.difference == pytest.approx(lora.avg_at_k - lora.fair_avg_at_k)
    assert lora.seeds == len(SEEDS)
    assert lora.base_drift == 0.002


def test_the_report_ranks_the_fair_trials_alone(out: Path) -> None:
    board = build_leaderboard([out])
    assert {row.label for row in board.rows} == {"lora", "dora"}
    assert board.runs == 2 * len(SEEDS)
    assert not board.not_scored


def test_a_store_that_holds_defective_runs_does_not_rank_them(out: Path) -> None:
    board = build_leaderboard([out / "trials"])
    assert board.runs == 2 * len(SEEDS)
    reasons = {run.reason for run in board.not_scored}
    assert reasons == {"it has the deliberate defect 'in-place-merging'"}


def test_every_number_of_the_figure_is_in_a_file_beside_it(out: Path) -> None:
    with (out / "figures" / "confounds.csv").open() as file:
        drawn = {row["method"]: row for row in csv.DictReader(file)}
    assert float(drawn["lora"]["difference"]) == pytest.approx(
        100 * effects(out)["lora"].difference, abs=1e-3
    )
    assert drawn["lora"]["verdict"] == "moved"
    assert (out / "figures" / "confounds.svg").read_text().count("in place merging") >= 1
    assert (out / "confounds.csv").read_text().count("\n") == 3


def test_a_defective_trial_without_a_score_is_named_and_left_out(tmp_path: Path) -> None:
    write_study_with_a_defect(tmp_path, loss={"lora": 0.3}, status="failed")
    found = measure_confounds([tmp_path], build_leaderboard([tmp_path]))
    assert not found.effects
    assert found.missing == {f"lora-bad-{seed}": "its status is failed: no error" for seed in SEEDS}


def test_a_fair_trial_that_is_a_link_into_another_store_is_found_and_counts_once(
    tmp_path: Path,
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write_study_with_a_defect(one, loss={"lora": 0.3})
    write_study_with_a_defect(other, loss={"lora": 0.3})
    for seed in SEEDS:
        shutil.rmtree(other / "trials" / f"lora-{seed}")
        (other / "trials" / f"lora-{seed}").symlink_to(one / "trials" / f"lora-{seed}")
    board = build_leaderboard([one, other])
    assert board.rows[0].seeds == len(SEEDS)
    found = measure_confounds([other], board)
    assert not found.missing
    assert found.main[0].seeds == len(SEEDS)


def test_where_nothing_is_defective_no_file_of_an_earlier_report_is_left(tmp_path: Path) -> None:
    Confounds((), {"lora-bad-0": "its status is failed"}).write(tmp_path)
    assert read_confounds(tmp_path)
    Confounds((), {}).write(tmp_path)
    assert not list(tmp_path.iterdir())
