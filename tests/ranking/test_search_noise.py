"""The luck of a learning-rate search is in every interval, test and rank, and the page says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthetic_runs import METHODS, write_run
from verirank.ranking import Leaderboard, build_leaderboard, comparisons
from verirank.report import limits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of two methods, 6 points apart, and of one whose rate is set."""
    folder = tmp_path_factory.mktemp("searched")
    for method, rate in (("lora", 0.66), ("dora", 0.60), ("ia3", 0.40)):
        for seed in range(3):
            recipe = replace(METHODS[method], rate=rate)
            write_run(folder / f"{method}{seed}", method, recipe, seed=seed, problems=96, samples=8)
    return folder


def searched(folder: Path, **variances: float | None) -> Leaderboard:
    """Build the board where searches of some methods have a variance."""
    arms: list[dict[str, Any]] = [
        {
            "method": method,
            "ranked": f"{method}0",
            "variance": variance,
            "trials": [{"seed": seed} for seed in (7, 8, 9)],
        }
        for method, variance in variances.items()
    ]
    (folder / "search.json").write_text(json.dumps({"rule": "", "arms": arms}))
    return build_leaderboard([folder])


def test_a_searched_methods_interval_test_and_rank_hold_the_search(folder: Path) -> None:
    plain, lucky = searched(folder), searched(folder, lora=0.03**2, dora=0.03**2)
    assert {row.search_fraction for row in plain.main} == {None}
    before, after = ({row.label: row for row in board.main} for board in (plain, lucky))
    for label in ("lora", "dora"):
        one, other = before[label], after[label]
        assert other.low < one.low < one.high < other.high
        assert other.change_low < one.change_low < one.change_high < other.change_high
        share = other.search_fraction
        assert share is not None and 0.3 < share < 1
        assert other.over == (*one.over, "searches")
        # Of the variance of the change, as far as both intervals have the same quantile of t.
        ratio = (one.change_high - one.change_low) / (other.change_high - other.change_low)
        assert share == pytest.approx(1 - ratio**2, abs=0.25)
    assert (before["dora"].rank, after["dora"].rank) == (2, 1)
    assert after["lora"].rank_worst == 2
    # A method whose rate was set keeps its own interval, but is compared with searched ones.
    assert (after["ia3"].low, after["ia3"].search_fraction) == (before["ia3"].low, None)
    found, wider = (
        {c.label: c for c in comparisons(board) if c.reference == "lora"}
        for board in (plain, lucky)
    )
    assert all(wider[label].p > found[label].p for label in ("dora", "ia3"))


def test_the_limits_say_how_much_of_the_intervals_is_the_search(folder: Path) -> None:
    said = " ".join(limits(searched(folder, lora=0.03**2, dora=None)))
    shares = [100 * (row.search_fraction or 0.0) for row in searched(folder, lora=0.03**2).main]
    assert f"{max(shares):.0f} % of the variance behind a method's interval" in said
    assert "in every interval, test and rank" in said
    assert "Another search" not in " ".join(limits(searched(folder)))


def test_a_search_of_which_one_rate_came_to_the_end_counts_as_the_others(folder: Path) -> None:
    board = searched(folder, lora=0.02**2, dora=None)
    rows = {row.label: row for row in board.main}
    assert rows["dora"].search_fraction and rows["lora"].search_fraction
    assert board.main_tests.search.variance == {"lora": 0.02**2, "dora": 0.02**2}
    assert board.main_tests.search.degrees == 4
    assert searched(folder, lora=None).main_tests.search.variance == {}
