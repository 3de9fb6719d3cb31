"""Pass@k with its interval, maj@k, benches without overlap, and aggregates over benches."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from synthetic_runs import METHODS, write_run
from verirank.ranking import across_benches, bench_scores, build_leaderboard
from verirank.report import write_report


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for method in ("lora", "vera"):
        for seed in range(3):
            run = write_run(
                tmp_path / "runs" / f"{method}{seed}",
                method,
                METHODS[method],
                seed=seed,
                benches={"test": 0.0, "ood": -0.2},
            )
            own = {"avg_at_k": 0.5, "pass_at_k": 0.75, "maj_at_k": 0.6 + 0.1 * seed, "n": 40}
            clean = {"avg_at_k": 0.4 + 0.1 * seed, "pass_at_k": 0.7, "maj_at_k": 0.3, "n": 18}
            recorded = {"test": own, "ood": own | {"without_overlap": clean}}
            (run / "eval.json").write_text(json.dumps(recorded))
    return tmp_path / "runs"


def test_each_bench_has_its_pass_interval_its_votes_and_what_is_left_without_overlap(
    runs: Path,
) -> None:
    found = {(row.label, row.bench): row for row in bench_scores(build_leaderboard([runs]))}
    benches = {"average", "test", "ood", "ood without overlap"}
    assert {bench for _, bench in found} == benches
    test = found["lora", "test"]
    assert test.maj_at_k == pytest.approx(0.7)
    assert test.pass_low is not None and test.pass_low < test.pass_at_k < (test.pass_high or 0)
    clean = found["lora", "ood without overlap"]
    assert (clean.n, clean.pass_low) == (18, None)
    assert (clean.avg_at_k, clean.maj_at_k) == (pytest.approx(0.5), pytest.approx(0.3))
    average = found["vera", "average"]
    both = (found["vera", "test"], found["vera", "ood"])
    assert average.pass_at_k == pytest.approx(sum(row.pass_at_k for row in both) / 2)


def test_the_chance_to_beat_lora_is_over_seeds_and_benches(runs: Path) -> None:
    lora, vera = across_benches(build_leaderboard([runs]))
    assert (lora.label, vera.label) == ("lora", "vera")
    assert lora.benches == 2
    assert lora.better is None
    assert vera.better is not None and vera.better < 0.2


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_have_neither_an_interval_nor_a_chance(
    tmp_path: Path, seeds: int
) -> None:
    for method in ("lora", "vera"):
        for seed in range(seeds):
            write_run(tmp_path / f"{method}{seed}", method, METHODS[method], seed=seed)
    for found in across_benches(build_leaderboard([tmp_path])):
        assert (found.better, found.better_low) == (None, None)


def test_they_stand_on_the_page_and_in_files_beside_it(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_report([runs], out)
    page = (out / "report.html").read_text("utf-8")
    assert "ood without overlap" in page
    for name, rows in (("benches", 8), ("aggregates", 2)):
        with (out / "data" / f"{name}.csv").open(encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == rows
    again = build_leaderboard([runs], out / "runs_index.sqlite")
    assert bench_scores(again) == bench_scores(build_leaderboard([runs]))
