"""Intervals cover a known truth as often as they say, by the script that writes the table."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "results" / "coverage.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_table", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("problems", [30, 500])
@pytest.mark.parametrize("seeds", [1, 3, 10])
def test_95_percent_intervals_cover_the_truth_93_to_97_times_in_100(
    script: ModuleType, seeds: int, problems: int
) -> None:
    found = script.coverage(script.SEED_SD, seeds, problems)
    assert 0.93 <= found["mean"] <= 0.97
    assert 0.93 <= found["difference"] <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("problems", [30, 500])
@pytest.mark.parametrize("seeds", [1, 3, 10])
@pytest.mark.parametrize("seed_sd", [0.0, 0.01])
def test_where_seeds_hardly_matter_means_are_covered_as_often_and_differences_no_less(
    script: ModuleType, seed_sd: float, seeds: int, problems: int
) -> None:
    found = script.coverage(seed_sd, seeds, problems)
    assert 0.93 <= found["mean"] <= 0.97
    # Differences of several seeds are covered more often there, as the page says.
    assert 0.93 <= found["difference"] <= (0.97 if seeds == 1 else 0.995)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("spreads", ["all alike", "one 5 times as much", "seven a fifth as much"])
def test_equal_methods_are_told_apart_6_times_in_100_at_most(
    script: ModuleType, spreads: str, seeds: int
) -> None:
    in_ranking, against_one, _ = script.false_findings(script.SPREADS[spreads], seeds)
    # Two standard errors of so many studies are 1.5 in 100.
    assert in_ranking <= 0.06 + 0.015
    assert against_one <= 0.06


@pytest.mark.slow
def test_one_seeds_interval_fails_as_a_claim_on_the_method(script: ModuleType) -> None:
    found = script.coverage(script.SEED_SD, seeds=1, problems=500)
    assert found["difference_of_method"] < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 10])
def test_the_aggregates_cover_the_truth_at_least_93_times_in_100(
    script: ModuleType, seeds: int
) -> None:
    of_the_middle, of_the_chance, without = script.aggregate_coverage(seeds)
    assert of_the_middle >= 0.93
    assert of_the_chance >= 0.93
    assert without < 0.05


def test_the_words_in_the_documents_are_of_this_script(script: ModuleType) -> None:
    page = SCRIPT.with_suffix(".md").read_text("utf-8")
    words = (script._HEAD, script._EDGES, script._FINDINGS, script._AGGREGATES, script._POWER)
    found = [page.find(f"{section}\n\n|") for section in words]
    assert found[0] == 0 and found == sorted(set(found))


@pytest.mark.slow
def test_the_table_in_the_documents_is_of_this_script(script: ModuleType) -> None:
    page = SCRIPT.with_suffix(".md").read_text("utf-8")
    for row in script.main_rows():
        assert f"| {' | '.join(row)} |" in page
