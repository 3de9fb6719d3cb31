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


@pytest.mark.slow
def test_the_table_in_the_documents_is_of_this_script(script: ModuleType) -> None:
    page = SCRIPT.with_suffix(".md").read_text("utf-8")
    for row in script.main_rows():
        assert f"| {' | '.join(row)} |" in page
