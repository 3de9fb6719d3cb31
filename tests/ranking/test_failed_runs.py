"""Failed runs cost their method, lost ones withhold its rank, and copies are no seeds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthetic_runs import METHODS, write_run
from verirank.config import InputError
from verirank.ranking import Leaderboard, Row, build_leaderboard, judge
from verirank.record import TrialEntry, write_trial_list
from verirank.report import answer, limits

DIVERGED = {"status": "failed", "failure_kind": "diverged", "error": "DivergedError: it did"}
LOST = {"status": "failed", "failure_kind": "machine", "error": "OSError: no space"}


def write_arms(folder: Path, rates: dict[str, float], ends: dict[str, Any] | None = None) -> Path:
    """Write three seeds of some methods; `ends` names a run and how it ended instead."""
    for method, rate in rates.items():
        for seed in range(3):
            name = f"{method}{seed}"
            recipe = replace(METHODS[method], rate=rate)
            write_run(folder / name, method, recipe, seed=seed, problems=96, samples=4)
            if ends and name in ends:
                shutil.rmtree(folder / name / "eval")
                write_end(folder / name, ends[name])
    return folder


def write_end(run: Path, end: dict[str, Any]) -> None:
    file = run / "manifest.json"
    content = json.loads(file.read_text())
    for cost in ("seconds", "peak_memory_bytes"):
        del content[cost]
    file.write_text(json.dumps(content | end))


def row_of(board: Leaderboard, label: str) -> Row:
    return next(row for row in board.main if row.label == label)


def test_each_diverged_run_lowers_its_methods_score_to_the_base_and_to_0(tmp_path: Path) -> None:
    rates = {"lora": 0.6, "dora": 0.6, "vera": 0.6}
    scores = []
    for failed in range(4):
        ends = {f"vera{seed}": DIVERGED for seed in range(failed)}
        board = build_leaderboard([write_arms(tmp_path / str(failed), rates, ends)])
        vera = row_of(board, "vera")
        assert (vera.seeds, len(vera.failed)) == (3, failed)
        assert vera.avg_at_k == pytest.approx(vera.failed_as_base)
        expected = vera.failed_as_base - failed / 3 * vera.base_avg_at_k
        assert vera.failed_as_zero == pytest.approx(expected)
        fates = [run.fate for run in judge(board).runs if run.label == "vera"]
        assert fates.count("diverged") == failed
        scores.append(vera.avg_at_k)
    assert scores == sorted(scores, reverse=True)


def test_a_method_that_always_diverged_is_ranked_with_the_bases_score(tmp_path: Path) -> None:
    ends = {f"vera{seed}": DIVERGED for seed in range(3)}
    rates = {"lora": 0.6, "dora": 0.6, "vera": 0.6}
    board = build_leaderboard([write_arms(tmp_path, rates, ends)])
    vera = row_of(board, "vera")
    assert (vera.avg_at_k, vera.rank) == (pytest.approx(vera.base_avg_at_k), 3)
    assert "Failed runs count: vera failed on seeds 0, 1 and 2" in " ".join(limits(board))


def test_the_study_may_count_failed_runs_as_0(tmp_path: Path) -> None:
    folder = write_arms(tmp_path, {"lora": 0.6, "dora": 0.6}, {"dora1": DIVERGED})
    as_base = row_of(build_leaderboard([folder]), "dora")
    (folder / "study.toml").write_text('failed_runs = "zero"')
    as_zero = row_of(build_leaderboard([folder]), "dora")
    assert as_zero.avg_at_k == pytest.approx(as_base.failed_as_zero)
    assert as_zero.failed_as_base == pytest.approx(as_base.avg_at_k)
    other = write_arms(tmp_path / "other", {"lora": 0.6})
    (other / "study.toml").write_text('failed_runs = "base"')
    with pytest.raises(InputError, match="count failed runs differently"):
        build_leaderboard([folder, other])


@pytest.mark.parametrize("end", [LOST, {"status": "running"}, {"status": "stopped"}])
def test_a_run_that_is_lost_or_to_come_withholds_its_methods_rank_only(
    tmp_path: Path, end: dict[str, str]
) -> None:
    rates = {"lora": 0.8, "dora": 0.6, "vera": 0.4}
    board = build_leaderboard([write_arms(tmp_path, rates, {"lora1": end})])
    lora = row_of(board, "lora")
    assert (lora.rank, lora.lost, lora.failed) == (None, (1,), ())
    assert [(row.label, row.rank) for row in board.main[:2]] == [("dora", 1), ("vera", 2)]
    assert "No rank before all runs are done: lora (seed 1)" in " ".join(limits(board))
    assert answer(board).startswith("dora is the best")


def test_a_trial_that_has_not_begun_withholds_its_methods_rank(tmp_path: Path) -> None:
    folder = write_arms(tmp_path, {"lora": 0.6, "dora": 0.6, "vera": 0.6})
    entries = [
        TrialEntry(f"{method}{seed}", "ranked", method, seed, METHODS[method].learning_rate, 60)
        for method in ("lora", "dora", "vera")
        for seed in range(3)
    ]
    more = TrialEntry("dora3", "ranked", "dora", 3, METHODS["dora"].learning_rate, 60)
    write_trial_list(folder, folder, [*entries, more])
    board = build_leaderboard([folder])
    assert (row_of(board, "dora").rank, row_of(board, "dora").lost) == (None, (3,))
    assert row_of(board, "lora").rank == 1


def test_a_failure_that_is_no_ones_score_leaves_the_other_seeds(tmp_path: Path) -> None:
    end = {"status": "failed", "failure_kind": "input", "error": "InputError: no such bench"}
    board = build_leaderboard([write_arms(tmp_path, {"lora": 0.6, "dora": 0.6}, {"dora2": end})])
    dora = row_of(board, "dora")
    assert (dora.seeds, dora.rank, dora.ranked_seeds, dora.failed, dora.lost) == (2, 1, 2, (), ())


def test_one_methods_missing_seed_is_missed_in_its_own_pairs_only(tmp_path: Path) -> None:
    folder = write_arms(tmp_path, {"lora": 0.8, "dora": 0.6, "vera": 0.4})
    shutil.rmtree(folder / "vera2")
    board = build_leaderboard([folder])
    pairs = board.main_tests.pairs
    assert pairs is not None
    seeds = {
        (a, b): found.seeds
        for a, b in (("lora", "dora"), ("lora", "vera"), ("dora", "vera"))
        if (found := pairs.pair(a, b))
    }
    assert seeds == {("lora", "dora"): 3, ("lora", "vera"): 2, ("dora", "vera"): 2}


def test_copies_of_one_run_are_one_seed(tmp_path: Path) -> None:
    write_arms(tmp_path, {"lora": 0.6})
    for seed in (1, 2):
        shutil.rmtree(tmp_path / f"lora{seed}")
        shutil.copytree(tmp_path / "lora0", tmp_path / f"lora{seed}")
        for name, key in (("manifest.json", '"seed": '), ("trial.toml", "seed = ")):
            file = tmp_path / f"lora{seed}" / name
            file.write_text(file.read_text().replace(f"{key}0", f"{key}{seed}", 1))
    board = build_leaderboard([tmp_path])
    assert row_of(board, "lora").seeds == 1
    assert [run.seed for run in board.not_scored] == [1, 2]
    assert all("it is a copy of" in run.reason for run in board.not_scored)
