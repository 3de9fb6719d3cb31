"""Differences a problem, and the band of two equal methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthetic_runs import Recipe, write_run
from verirank.ranking import Difference, build_leaderboard, differences


def compared(folder: Path, rate: float, *, seeds: int = 2) -> Difference:
    """Return the difference of one method from LoRA, whose solve rate is .6."""
    for seed in range(seeds):
        for method, reaches in (("lora", 0.6), ("dora", rate)):
            recipe = Recipe(reaches, 1000, 30)
            write_run(folder / f"{method}-{seed}", method, recipe, seed=seed, problems=60)
    (found,) = differences(build_leaderboard([folder]), "lora")
    return found


def test_equal_methods_stay_within_the_band(tmp_path: Path) -> None:
    found = compared(tmp_path, 0.6)
    assert found.outside <= 12
    assert found.low < 0 < found.high
    assert found.bench == "test"
    assert (np.diff(found.difference_P) >= 0).all()


def test_a_worse_method_leaves_the_band_below(tmp_path: Path) -> None:
    found = compared(tmp_path, 0.3)
    assert (found.difference_P < found.low_P).mean() > 0.6
    assert found.high < 0
    assert found.worse > 45 > found.better


def test_the_mean_over_problems_is_that_of_the_scores(tmp_path: Path) -> None:
    found = compared(tmp_path, 0.5)
    assert found.difference_P.mean() == pytest.approx(found.mean)
    assert len(set(found.problems)) == 60


def test_without_the_reference_or_a_shared_seed_there_is_no_difference(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "dora", Recipe(0.6, 10, 30))
    assert differences(build_leaderboard([tmp_path]), "lora") == []
    write_run(tmp_path / "b", "lora", Recipe(0.6, 10, 30), seed=1)
    assert differences(build_leaderboard([tmp_path]), "lora") == []


def test_where_no_arm_bears_the_plain_name_the_best_of_the_method_is_the_reference(
    tmp_path: Path,
) -> None:
    for rank, rate in ((4, 0.5), (8, 0.8)):
        settings = {"method": {"name": "lora", "rank": rank}}
        write_run(tmp_path / f"{rank}", "lora", Recipe(rate, 10, 30), settings=settings)
    (found,) = differences(build_leaderboard([tmp_path]), "lora")
    assert (found.label, found.reference) == ("lora (rank 4)", "lora (rank 8)")
