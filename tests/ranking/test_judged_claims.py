"""Verdicts on the published claims, and what became of each run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from synthetic_runs import BASE_RATE, METHODS, Recipe, write_run
from verirank.ranking import Verdicts, build_leaderboard, comparisons, judge
from verirank.report import write_report


def verdicts_of(folder: Path) -> Verdicts:
    return judge(build_leaderboard([folder]))


def outcome(verdicts: Verdicts, part: str) -> str:
    (found,) = [v for v in verdicts.judgements if v.part == part]
    return found.outcome


@pytest.fixture
def three_seeds(tmp_path: Path) -> Path:
    rates = {"lora": 0.70, "dora": 0.82, "miss": 0.55, "pissa": 0.05, "vera": 0.70}
    for method, rate in rates.items():
        for seed in range(3):
            recipe = replace(METHODS[method], rate=rate)
            write_run(tmp_path / f"{method}{seed}", method, recipe, seed=seed, problems=128)
    return tmp_path


def test_each_claim_is_answered_from_the_arms_that_are_there(three_seeds: Path) -> None:
    verdicts = verdicts_of(three_seeds)
    assert outcome(verdicts, "dora beats lora") == "supported"
    assert outcome(verdicts, "miss beats lora") == "contradicted"
    assert outcome(verdicts, "pissa ends below the base") == "supported"
    assert outcome(verdicts, "vera stays below lora") == "not_resolvable"
    parts = {v.part for v in verdicts.judgements}
    assert not parts & {"dora beats full", "adalora beats lora", "ia3 stays below lora"}


def test_claims_on_several_benches_are_tested_on_their_average(tmp_path: Path) -> None:
    for method, rate in {"lora": 0.6, "dora": 0.8}.items():
        for seed in range(3):
            recipe, benches = replace(METHODS[method], rate=rate), {"test": 0.0, "ood": -0.2}
            folder = tmp_path / f"{method}{seed}"
            write_run(folder, method, recipe, seed=seed, problems=64, benches=benches)
    (verdict,) = verdicts_of(tmp_path).judgements
    assert (verdict.bench, verdict.outcome) == ("average", "supported")
    assert {run.evidence.split()[-1] for run in verdicts_of(tmp_path).runs} == {"test"}


def test_a_claim_has_the_answer_that_the_ranking_gives_the_two_arms(three_seeds: Path) -> None:
    board = build_leaderboard([three_seeds])
    told = {(one.label, one.reference): one for one in comparisons(board)}
    rows = {row.label: row for row in board.main}
    for verdict in judge(board).judgements:
        if verdict.b == "base":
            row = rows[verdict.a]
            assert (verdict.effect, verdict.low) == (row.change, row.change_low)
            assert (verdict.p, verdict.p_holm) == (row.change_p, row.change_p_holm)
        else:
            pair = told[verdict.a, verdict.b]
            assert (verdict.effect, verdict.low) == (pair.difference, pair.low)
            assert (verdict.p, verdict.p_holm) == (pair.p, pair.p_holm)
            assert pair.resolved == (verdict.outcome != "not_resolvable")


def test_an_open_claim_says_what_the_study_resolves_with_80_percent_power(
    three_seeds: Path,
) -> None:
    (found,) = [v for v in verdicts_of(three_seeds).judgements if v.outcome == "not_resolvable"]
    words = r"a study like this finds ([\d.]+) points with 80 % power, one with 6 seeds ([\d.]+) "
    told = re.match(words, found.reason)
    assert told and float(told[1]) > float(told[2]) > 100 * abs(found.effect)


def claims_on_page(folder: Path) -> str:
    write_report([folder], folder)
    page = (folder / "report.html").read_text("utf-8")
    return page.partition('<section id="verdicts"')[2].partition("</section>")[0]


def test_what_one_reason_leaves_unresolved_is_one_sentence_on_the_page(tmp_path: Path) -> None:
    for method in ("lora", "dora", "miss"):
        write_run(tmp_path / method, method, METHODS[method])
    told = claims_on_page(tmp_path)
    assert "None of 2 claims" in told and "One seed says nothing of other seeds" in told
    assert "<table" not in told
    assert len(json.loads((tmp_path / "verdicts.json").read_text())["claims"]) == 2


def test_the_page_names_the_family_of_the_tests(three_seeds: Path) -> None:
    assert "correction over all pairs" in claims_on_page(three_seeds)


def test_one_seed_answers_nothing_about_methods(tmp_path: Path) -> None:
    for method, rate in {"lora": 0.5, "dora": 0.9}.items():
        write_run(tmp_path / method, method, replace(METHODS[method], rate=rate))
    (verdict,) = verdicts_of(tmp_path).judgements
    assert verdict.outcome == "not_resolvable"
    assert "one seed" in verdict.reason


def test_ablations_compare_arms_that_differ_in_that_setting_alone(tmp_path: Path) -> None:
    for rank, rate in {1: 0.5, 8: 0.7}.items():
        for algorithm in ("grpo", "dapo"):
            for seed in range(3):
                write_run(
                    tmp_path / f"{rank}-{algorithm}-{seed}",
                    "lora",
                    replace(METHODS["lora"], rate=rate),
                    seed=seed,
                    problems=128,
                    settings={
                        "method": {"name": "lora", "rank": rank},
                        "algorithm": {"name": algorithm, "clip_high": 0.2 + (algorithm == "dapo")},
                    },
                )
    verdicts = verdicts_of(tmp_path)
    parts = sorted(v.part for v in verdicts.judgements if "ablation" in v.claim)
    assert parts == ["lora, algorithm grpo to dapo"] * 2 + ["lora, rank 1 to 8"] * 2
    ranks = [v for v in verdicts.judgements if v.part == "lora, rank 1 to 8"]
    assert {v.outcome for v in ranks} == {"supported"}
    assert all(v.effect == pytest.approx(0.2, abs=0.06) for v in ranks)


def write_ranks(folder: Path, method: str, rates: dict[int, float]) -> None:
    for rank, rate in rates.items():
        for seed in range(3):
            write_run(
                folder / f"{method}-{rank}-{seed}",
                method,
                replace(METHODS[method], rate=rate),
                seed=seed,
                problems=128,
                settings={"method": {"name": method, "rank": rank}},
            )


def test_along_an_axis_each_arm_is_held_against_the_one_with_its_settings(tmp_path: Path) -> None:
    write_ranks(tmp_path, "lora", {1: BASE_RATE, 8: 0.6})
    write_ranks(tmp_path, "dora", {1: 0.5, 8: 0.8})
    verdicts = verdicts_of(tmp_path)
    parts = [v.part for v in verdicts.judgements if "beats" in v.part]
    assert parts == [f"dora (rank {rank}) beats lora (rank {rank})" for rank in (1, 8)]
    (floor,) = [v for v in verdicts.judgements if "finding 3" in v.claim]
    assert (floor.part, floor.b) == ("lora (rank 1) is as the base at rank 1", "base")
    assert abs(floor.effect) < 0.05


def test_a_plain_arm_of_rank_1_is_held_against_the_floor(tmp_path: Path) -> None:
    write_ranks(tmp_path, "lora", {1: 0.7})
    (floor,) = verdicts_of(tmp_path).judgements
    assert (floor.outcome, floor.part) == ("contradicted", "lora is as the base at rank 1")


def test_arms_that_an_algorithms_own_settings_tell_apart_are_all_compared(tmp_path: Path) -> None:
    for name, algorithm in {
        "grpo": {"name": "grpo"},
        "near": {"name": "dapo", "clip_high": 0.25},
        "far": {"name": "dapo", "clip_high": 0.4},
    }.items():
        for seed in range(2):
            folder = tmp_path / f"{name}{seed}"
            write_run(folder, "lora", METHODS["lora"], seed=seed, settings={"algorithm": algorithm})
    pairs = [(v.a, v.b) for v in verdicts_of(tmp_path).judgements]
    assert len(pairs) == len(set(pairs)) == 2


def rewrite_metrics(run: Path, **entries: object) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    text = "".join(json.dumps(line | entries) + "\n" for line in lines)
    (run / "metrics.jsonl").write_text(text)


def test_the_ways_not_to_gain_are_told_apart(tmp_path: Path) -> None:
    flat = Recipe(0.35, 1000, 30)
    for name in ("still", "cut", "nothing"):
        write_run(tmp_path / name, "lora", flat, settings={"seed": 0, "name": name})
    rewrite_metrics(tmp_path / "still", served_changed_fraction=1e-5, truncated_fraction=0.0)
    rewrite_metrics(tmp_path / "cut", served_changed_fraction=0.5, truncated_fraction=0.9)
    rewrite_metrics(tmp_path / "nothing", served_changed_fraction=0.5, truncated_fraction=0.0)
    write_run(tmp_path / "gone", "pissa", Recipe(0.02, 1000, 30))
    rewrite_metrics(tmp_path / "gone", served_changed_fraction=0.5, truncated_fraction=0.0)
    write_run(tmp_path / "fine", "dora", Recipe(0.8, 1000, 30))
    write_run(
        tmp_path / "broken",
        "full",
        flat,
        manifest={"status": "failed", "failure_kind": "diverged", "error": "it is not finite"},
    )
    write_run(
        tmp_path / "named",
        "vera",
        flat,
        manifest={
            "status": "failed",
            "failure_kind": "error",
            "error": "DivergedError: words are not what tells it",
        },
    )
    found = {Path(run.run).name: run.fate for run in verdicts_of(tmp_path).runs}
    assert found == {
        "still": "could not move",
        "cut": "ran out of tokens",
        "nothing": "did not learn",
        "gone": "collapsed",
        "fine": "learned",
        "broken": "diverged",
        "named": "unfinished",
    }


def test_the_report_writes_what_it_shows(three_seeds: Path, tmp_path: Path) -> None:
    write_report([three_seeds], tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    content = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    for claim in content["claims"]:
        assert claim["part"] in page
    assert "collapsed" in page


def test_samples_are_read_whole(three_seeds: Path) -> None:
    table = pq.read_table(three_seeds / "lora0" / "eval" / "test.parquet")
    pq.write_table(table.slice(0, len(table) - 1), three_seeds / "lora0" / "eval" / "test.parquet")
    board = build_leaderboard([three_seeds])
    assert [run.method for run in board.not_scored] == ["lora"]
