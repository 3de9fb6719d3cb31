"""A study's searches and races take groups of problems as the leaderboard does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from synthetic_runs import METHODS, write_run
from verirank.ranking import build_leaderboard
from verirank.record import Run
from verirank.study._search import _values_P
from verirank.study.protocols import RaceField


@pytest.mark.parametrize("groups", [None, 6])
def test_searches_and_races_have_the_values_of_the_leaderboard(
    tmp_path: Path, groups: int | None
) -> None:
    folder = tmp_path / "lora0"
    write_run(folder, "lora", METHODS["lora"], problems=96, groups=groups)
    run = Run(folder)
    run.selection_file(8).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(run.bench_file("test"), run.selection_file(8))
    (arm,) = build_leaderboard([tmp_path]).arms
    assert arm.problem_means("test").shape == (1, groups or 96)
    assert np.array_equal(_values_P(run, 8), arm.problem_means("test")[0])
    before_P, after_P = RaceField(*cast("Any", (None, None, {})))._read(folder)
    assert np.array_equal(after_P, arm.problem_means("test")[0])
    assert np.array_equal(before_P, arm.problem_means("test", "before")[0])
