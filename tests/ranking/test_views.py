"""The same runs at equal training time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synthetic_runs import METHODS, write_run
from verirank.config import InputError
from verirank.ranking import at_equal_parameters, at_equal_time, build_leaderboard


def test_a_slow_method_is_read_where_the_quickest_ends(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", replace(METHODS["lora"], seconds=30.0), steps=60)
    write_run(tmp_path / "b", "dora", replace(METHODS["dora"], seconds=60.0), steps=60)
    views = {view.label: view for view in at_equal_time(build_leaderboard([tmp_path]))}
    assert views["lora"].seconds == views["dora"].seconds == 30.0
    assert views["lora"].steps == 60
    assert views["dora"].steps == 30
    assert views["lora"].reward == views["lora"].reward_in_full
    assert views["dora"].reward < views["dora"].reward_in_full


def write_ranks(folder: Path, method: str, trainable_a_rank: int, *, rate: float = 0.7) -> None:
    for rank in (4, 8, 16):
        for seed in range(3):
            write_run(
                folder / f"{method}{rank}-{seed}",
                method,
                replace(METHODS[method], trainable=trainable_a_rank * rank, rate=rate),
                seed=seed,
                problems=128,
                settings={"method": {"name": method, "rank": rank}},
            )


def test_each_method_is_read_at_the_rank_whose_parameters_are_nearest_to_loras(
    tmp_path: Path,
) -> None:
    write_ranks(tmp_path, "lora", 1000, rate=0.6)
    write_ranks(tmp_path, "miss", 480, rate=0.75)
    for seed in range(3):
        write_run(tmp_path / f"full{seed}", "full", METHODS["full"], seed=seed, problems=128)
    miss, lora = at_equal_parameters(build_leaderboard([tmp_path]))
    # LoRA at 4 and at 8 have a match each; full fine-tuning is like none of them.
    assert lora.trainable_parameters in (4000, 8000)
    assert miss.trainable_parameters == pytest.approx(0.96 * lora.trainable_parameters)
    assert miss.ratio == pytest.approx(0.96)
    assert lora.difference is None
    assert miss.difference == pytest.approx(miss.avg_at_k - lora.avg_at_k)
    assert miss.low is not None and 0 < miss.low < 0.15 < (miss.high or 0)


def test_without_a_match_there_is_no_view_at_equal_parameters(tmp_path: Path) -> None:
    for method in ("lora", "full"):
        write_run(tmp_path / method, method, METHODS[method])
    assert at_equal_parameters(build_leaderboard([tmp_path])) == []


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
