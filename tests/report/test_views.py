"""The same runs at equal training time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_runs import METHODS, write_run

from verirank.config import InputError
from verirank.report import build_leaderboard
from verirank.report._views import at_equal_time


def test_a_slow_method_is_read_where_the_quickest_ends(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", replace(METHODS["lora"], seconds=30.0), steps=60)
    write_run(tmp_path / "b", "dora", replace(METHODS["dora"], seconds=60.0), steps=60)
    views = {view.label: view for view in at_equal_time(build_leaderboard([tmp_path]))}
    assert views["lora"].seconds == views["dora"].seconds == 30.0
    assert views["lora"].steps == 60
    assert views["dora"].steps == 30
    assert views["lora"].reward == views["lora"].reward_in_full
    assert views["dora"].reward < views["dora"].reward_in_full


def test_what_was_read_once_is_not_read_again_unless_it_changed(tmp_path: Path) -> None:
    index = tmp_path / "index.parquet"
    run = write_run(tmp_path / "runs" / "a", "lora", METHODS["lora"])
    first = build_leaderboard([tmp_path / "runs"], index)
    again = build_leaderboard([tmp_path / "runs"], index)
    assert again.as_json() == first.as_json()
    (run / "eval" / "test.parquet").write_bytes(b"not Parquet")
    with pytest.raises(InputError, match="none of 1 runs can be scored"):
        build_leaderboard([tmp_path / "runs"], index)
    index.write_bytes(b"broken")
    write_run(tmp_path / "runs" / "a", "lora", METHODS["lora"])
    assert build_leaderboard([tmp_path / "runs"], index).as_json() == first.as_json()
