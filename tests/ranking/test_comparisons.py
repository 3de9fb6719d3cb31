"""Every method against LoRA and full fine-tuning on the same problems and seeds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synthetic_runs import METHODS, write_run
from verirank.ranking import build_leaderboard, comparisons, differences
from verirank.report import write_report
from verirank.statistics import holm, noise_of_differences, paired_difference


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for method, rate in {"lora": 0.6, "full": 0.62, "dora": 0.8}.items():
        for seed in range(3):
            recipe = replace(METHODS[method], rate=rate)
            write_run(tmp_path / f"{method}{seed}", method, recipe, seed=seed, problems=128)
    return tmp_path


def test_each_method_is_held_against_lora_and_full_and_corrected_over_all(runs: Path) -> None:
    board = build_leaderboard([runs])
    found = comparisons(board)
    pairs = {(one.label, one.reference) for one in found}
    assert pairs == {("full", "lora"), ("dora", "lora"), ("dora", "full")}
    assert len(found) == 3
    dora = next(one for one in found if (one.label, one.reference) == ("dora", "lora"))
    arms = {arm.label: arm for arm in board.arms}
    a, b, c = (arms[name].scores("test") for name in ("dora", "lora", "full"))
    means_MS = np.stack([arm.mean(axis=(1, 2)) for arm in (a, b, c)])
    noise = noise_of_differences(means_MS, np.array([0]), np.array([1]))
    peer = paired_difference(a, b, np.random.default_rng(0), noise)
    assert (dora.difference, dora.low, dora.high) == pytest.approx((peer.mean, peer.low, peer.high))
    assert dora.resolved and dora.seeds == 3
    assert [one.p_holm for one in found] == holm([one.p for one in found]).tolist()


def test_what_the_ranking_tells_apart_the_comparisons_and_the_differences_tell_apart_too(
    tmp_path: Path,
) -> None:
    # Three seeds of one pair alone would not tell these apart after Holm's correction.
    for place, method in enumerate(("lora", "dora", "rslora", "miss", "pissa", "vera")):
        for seed in range(3):
            recipe = replace(METHODS[method], rate=0.4 + 0.1 * (place > 0))
            folder = tmp_path / f"{method}{seed}"
            write_run(folder, method, recipe, seed=seed, problems=128)
    board = build_leaderboard([tmp_path])
    apart = {row.label for row in board.main if row.rank == 1}
    last = {row.label for row in board.main if row.rank == 6}
    assert last == {"lora"} and len(apart) == 5
    assert {one.label for one in comparisons(board) if one.resolved} == apart
    assert all(found.low > 0 for found in differences(board, "lora"))


def test_what_the_study_could_not_have_seen_is_told(runs: Path) -> None:
    found = {(one.label, one.reference): one for one in comparisons(build_leaderboard([runs]))}
    level = found["full", "lora"]
    assert not level.resolved
    assert level.detectable is not None and abs(level.difference) < level.detectable


def test_the_report_writes_the_comparisons(runs: Path, tmp_path: Path) -> None:
    write_report([runs], tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "comparisons.json").read_text("utf-8"))
    assert {"label", "reference", "low", "high", "p_holm", "detectable"} <= rows[0].keys()
