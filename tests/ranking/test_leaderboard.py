"""The leaderboard, built from run folders on disk."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthetic_runs import METHODS, TOTAL, Recipe, write_run
from verirank.config import InputError
from verirank.ranking import build_leaderboard
from verirank.report import write_report

GOOD = Recipe(0.8, 1000, 30)
EQUAL = Recipe(0.8, 2000, 40)
POOR = Recipe(0.5, 10, 20)
UNMOVED = Recipe(0.35, 1, 10)


def test_every_method_and_bench_has_one_row(study: Path) -> None:
    board = build_leaderboard([study])
    benches = ("average", "test", "ood")
    assert len(board.rows) == len(METHODS) * 3
    assert {(row.method, row.bench) for row in board.rows} == {
        (method, bench) for method in METHODS for bench in benches
    }
    assert board.benches == benches


def test_several_benches_have_an_average_in_which_each_counts_alike(study: Path) -> None:
    board = build_leaderboard([study])
    assert board.averaged == board.sampled == ("test", "ood")
    for row in board.main:
        test, ood = (board.other(row.label, bench) for bench in board.sampled)
        assert test and ood
        assert row.avg_at_k == pytest.approx((test.avg_at_k + ood.avg_at_k) / 2)
        assert row.pass_at_k == pytest.approx((test.pass_at_k + ood.pass_at_k) / 2)
        assert row.change == pytest.approx((test.change + ood.change) / 2)
        assert row.low < row.avg_at_k < row.high
        assert row.high - row.low < test.high - test.low
        assert (row.n, row.k) == (test.n + ood.n, 8)


def test_one_bench_or_one_that_an_arm_lacks_has_no_average(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", GOOD, benches={"test": 0.0, "ood": -0.2})
    write_run(tmp_path / "b", "vera", POOR)
    assert build_leaderboard([tmp_path]).benches == ("test", "ood")
    assert build_leaderboard([tmp_path / "b"]).benches == ("test",)


def test_scores_are_counted_from_the_samples_on_disk(tmp_path: Path) -> None:
    run = write_run(tmp_path, "lora", GOOD)
    rows = pq.read_table(run / "eval" / "test.parquet").to_pylist()
    after = [row["correct"] for row in rows if row["stage"] == "after"]
    before = [row["correct"] for row in rows if row["stage"] == "before"]
    (row,) = build_leaderboard([tmp_path]).rows
    assert row.avg_at_k == pytest.approx(sum(after) / len(after))
    assert row.base_avg_at_k == pytest.approx(sum(before) / len(before))
    assert row.change == pytest.approx(row.avg_at_k - row.base_avg_at_k)
    solved = {r["problem"] for r in rows if r["stage"] == "after" and r["correct"]}
    assert row.pass_at_k == pytest.approx(len(solved) / 48)
    assert (row.k, row.n, row.seeds) == (8, 48, 1)
    assert row.low < row.avg_at_k < row.high


def test_equal_methods_share_a_rank_and_a_worse_one_comes_after(tmp_path: Path) -> None:
    for method, recipe in (("lora", GOOD), ("dora", EQUAL), ("vera", POOR)):
        write_run(tmp_path / method, method, recipe)
    ranks = {row.method: row.rank for row in build_leaderboard([tmp_path]).rows}
    assert ranks == {"lora": 1, "dora": 1, "vera": 3}


def test_a_method_that_did_not_learn_has_no_significant_change(tmp_path: Path) -> None:
    write_run(tmp_path, "ln-tuning", UNMOVED)
    (row,) = build_leaderboard([tmp_path]).rows
    assert row.change_low <= 0 <= row.change_high


def test_seeds_of_one_method_are_one_row(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / str(seed), "lora", GOOD, seed=seed)
    (row,) = build_leaderboard([tmp_path]).rows
    assert row.seeds == 3
    assert row.seconds == pytest.approx(31)


def test_a_row_says_what_its_intervals_are_over(tmp_path: Path) -> None:
    write_run(tmp_path / "one", "lora", GOOD)
    for seed in range(2):
        write_run(tmp_path / f"two{seed}", "dora", GOOD, seed=seed)
    board = build_leaderboard([tmp_path])
    board.write(tmp_path)
    rows = json.loads((tmp_path / "leaderboard.json").read_text("utf-8"))["rows"]
    assert {row["method"]: row["over"] for row in rows} == {
        "lora": ["problems", "samples"],
        "dora": ["seeds", "problems", "samples"],
    }
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        assert {row["over"] for row in csv.DictReader(file)} == {
            "problems samples",
            "seeds problems samples",
        }


def test_settings_that_differ_within_a_method_are_told_apart_in_its_label(tmp_path: Path) -> None:
    for rank in (1, 8):
        settings = {"method": {"rank": rank}}
        write_run(tmp_path / str(rank), "lora", GOOD, settings=settings)
    labels = {row.label for row in build_leaderboard([tmp_path]).rows}
    assert labels == {"lora (rank 1)", "lora (rank 8)"}


@pytest.mark.parametrize("status", ["running", "stopped", "failed"])
def test_an_unfinished_or_failed_run_is_listed_and_not_scored(tmp_path: Path, status: str) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    write_run(tmp_path / "b", "dora", GOOD, manifest={"status": status})
    board = build_leaderboard([tmp_path])
    assert [row.method for row in board.rows] == ["lora"]
    (left_out,) = board.not_scored
    assert (left_out.method, left_out.status) == ("dora", status)
    assert status in left_out.reason


def test_a_failed_runs_error_is_its_reason(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    manifest = {"status": "failed", "error": "RuntimeError: diverged"}
    write_run(tmp_path / "b", "dora", GOOD, manifest=manifest)
    assert "RuntimeError: diverged" in build_leaderboard([tmp_path]).not_scored[0].reason


def test_a_run_whose_method_failed_its_checks_is_listed_and_not_scored(tmp_path: Path) -> None:
    proof = {"passed": False, "checks": [{"name": "dispatch", "passed": False}]}
    write_run(tmp_path / "a", "lora", GOOD)
    write_run(tmp_path / "b", "dora", GOOD, manifest={"conformance": proof})
    board = build_leaderboard([tmp_path])
    assert [row.method for row in board.rows] == ["lora"]
    assert "dispatch" in board.not_scored[0].reason


def test_a_run_without_a_proof_is_scored_but_marked(tmp_path: Path) -> None:
    write_run(tmp_path, "lora", GOOD, manifest={"conformance": None})
    assert not build_leaderboard([tmp_path]).rows[0].proven


@pytest.mark.parametrize("damage", ["missing", "double", "unjudged"])
def test_a_run_with_a_missing_double_or_unjudged_sample_is_not_scored(
    tmp_path: Path, damage: str
) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    file = write_run(tmp_path / "b", "dora", GOOD) / "eval" / "test.parquet"
    rows = pq.read_table(file).to_pylist()
    if damage == "missing":
        rows.pop()
    elif damage == "double":
        rows.append(rows[-1])
    else:
        rows[-1]["correct"] = None
    pq.write_table(pa.Table.from_pylist(rows), file)
    board = build_leaderboard([tmp_path])
    assert [row.method for row in board.rows] == ["lora"]
    assert "samples" in board.not_scored[0].reason


def test_a_damaged_evaluation_file_is_not_scored(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    run = write_run(tmp_path / "b", "dora", GOOD)
    (run / "eval" / "test.parquet").write_bytes(b"PAR1 cut off")
    board = build_leaderboard([tmp_path])
    assert [run.method for run in board.not_scored] == ["dora"]


def test_a_damaged_manifest_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    (write_run(tmp_path / "b", "dora", GOOD) / "manifest.json").write_text("{")
    board = build_leaderboard([tmp_path])
    assert [row.method for row in board.rows] == ["lora"]
    (damaged,) = board.not_scored
    assert damaged.name == "b" and str(tmp_path / "b" / "manifest.json") in damaged.reason
    write_report([tmp_path], tmp_path / "report")
    assert "<strong>b</strong>" in (tmp_path / "report" / "report.html").read_text()


def test_unequal_numbers_of_seeds_still_give_every_method_a_rank(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / f"lora{seed}", "lora", GOOD, seed=seed)
    write_run(tmp_path / "vera", "vera", POOR)
    rows = build_leaderboard([tmp_path]).rows
    assert [(row.method, row.rank, row.seeds) for row in rows] == [("lora", 1, 3), ("vera", 2, 1)]


def test_the_same_runs_give_the_same_leaderboard(tmp_path: Path) -> None:
    for method in ("lora", "dora"):
        write_run(tmp_path / method, method, GOOD)
    assert build_leaderboard([tmp_path]).as_json() == build_leaderboard([tmp_path]).as_json()


def test_json_and_csv_hold_the_contracts_keys(study: Path, tmp_path: Path) -> None:
    build_leaderboard([study]).write(tmp_path)
    rows = json.loads((tmp_path / "leaderboard.json").read_text("utf-8"))["rows"]
    contract = {
        "method", "bench", "base_avg_at_k", "avg_at_k", "pass_at_k", "k", "n", "low", "high",
        "seeds", "trainable_parameters", "seconds", "peak_memory_bytes",
    }  # fmt: skip
    assert all(contract <= row.keys() for row in rows)
    with (tmp_path / "leaderboard.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["method"] for line in lines] == [row["method"] for row in rows]
    full = next(row for row in rows if row["method"] == "full")
    assert full["trainable_parameters"] == full["total_parameters"] == TOTAL


def test_no_run_at_all_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run"):
        build_leaderboard([tmp_path])


def test_a_missing_folder_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        build_leaderboard([tmp_path / "nowhere"])


def test_runs_that_cannot_be_scored_yet_are_the_users_mistake(tmp_path: Path) -> None:
    write_run(tmp_path, "lora", GOOD, manifest={"status": "running"})
    with pytest.raises(InputError, match="status is running"):
        build_leaderboard([tmp_path])


@pytest.mark.parametrize("key", ["model", "task"])
def test_runs_of_several_models_or_tasks_are_not_compared(tmp_path: Path, key: str) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    write_run(tmp_path / "b", "dora", GOOD, manifest={key: "another"})
    with pytest.raises(InputError, match=f"different {key}s"):
        build_leaderboard([tmp_path])


def test_runs_on_different_problems_are_not_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", GOOD, problems=20)
    write_run(tmp_path / "b", "dora", GOOD, problems=30)
    with pytest.raises(InputError, match="different problems"):
        build_leaderboard([tmp_path])


def test_a_trial_given_twice_is_the_users_mistake(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    write_run(tmp_path / "b", "lora", GOOD)
    with pytest.raises(InputError, match="same trial"):
        build_leaderboard([tmp_path])


def test_what_an_arm_keeps_of_its_scores_is_no_part_of_it_and_not_to_be_written_to(
    tmp_path: Path,
) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"{seed}", "lora", GOOD, seed=seed)
    arm = build_leaderboard([tmp_path]).arms[0]
    for kept in (arm.scores("test"), arm.problem_means("test")):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 0
    first = replace(arm, samples={"test": arm.samples["test"][:1]})
    assert len(arm.scores("test")) == len(arm.problem_means("test")) == 2
    assert len(first.scores("test")) == len(first.problem_means("test")) == 1
    assert "_shares" not in repr(arm)


def test_a_folder_named_twice_counts_once(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", "lora", GOOD)
    assert build_leaderboard([tmp_path, run]).rows[0].seeds == 1


def test_methods_are_ranked_on_the_seeds_they_share_and_no_others(tmp_path: Path) -> None:
    for seed in (0, 2):
        write_run(tmp_path / f"lora{seed}", "lora", GOOD, seed=seed)
    # On the seed that both have, vera is as good; its other seed must not be paired with lora's 2.
    for seed, recipe in ((0, GOOD), (1, UNMOVED)):
        write_run(tmp_path / f"vera{seed}", "vera", recipe, seed=seed)
    rows = build_leaderboard([tmp_path]).rows
    assert [(row.rank, row.seeds, row.ranked_seeds) for row in rows] == [(1, 2, 1), (1, 2, 1)]


def test_methods_that_share_no_seed_have_no_rank(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "vera", POOR, seed=0)
    write_run(tmp_path / "b", "lora", GOOD, seed=1)
    rows = build_leaderboard([tmp_path]).rows
    assert [(r.method, r.rank, r.tied_with_best, r.ranked_seeds) for r in rows] == [
        ("lora", None, False, 0),
        ("vera", None, False, 0),
    ]


def test_runs_from_different_base_weights_are_named_and_not_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    write_run(tmp_path / "b", "dora", GOOD, manifest={"base_sha256": "1e" * 32})
    with pytest.raises(InputError, match="base weights") as refused:
        build_leaderboard([tmp_path])
    assert all(str(tmp_path / name) in str(refused.value) for name in "ab")


def test_a_run_without_a_record_of_its_base_weights_is_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", GOOD)
    manifest = write_run(tmp_path / "b", "dora", GOOD) / "manifest.json"
    content = json.loads(manifest.read_text("utf-8"))
    del content["base_sha256"]
    manifest.write_text(json.dumps(content), "utf-8")
    assert len(build_leaderboard([tmp_path]).rows) == 2


def test_a_run_that_lacks_a_bench_it_was_to_be_evaluated_on_is_not_scored(tmp_path: Path) -> None:
    for method in ("lora", "dora"):
        write_run(tmp_path / method, method, GOOD, benches={"test": 0.0, "ood": -0.1})
    (tmp_path / "dora" / "eval" / "ood.parquet").unlink()
    board = build_leaderboard([tmp_path])
    assert {row.method for row in board.rows} == {"lora"}
    assert board.not_scored[0].reason == "it was not evaluated on ood"


def test_the_leading_methods_keep_their_places(tmp_path: Path) -> None:
    for method, recipe in (("lora", GOOD), ("dora", EQUAL), ("vera", POOR)):
        write_run(tmp_path / method, method, recipe, benches={"test": 0.0, "ood": -0.1})
    board = build_leaderboard([tmp_path])
    leading = board.leading(2)
    assert leading.main == board.main[:2]
    assert (
        {arm.method for arm in leading.arms}
        == {"lora", "dora"}
        == {row.method for row in leading.of_bench("ood")}
    )
