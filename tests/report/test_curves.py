"""What runs' curves tell is measured of many at once as it would be of each alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from synthetic_runs import METHODS, write_run
from verirank.ranking import build_leaderboard, selection_curves
from verirank.record import Curve, max_recorded, mean_recorded, of_each, trailing_mean


def curve(steps: int, seed: int) -> Curve:
    """Return a curve that does not tell everything at every step, and of the KL nothing."""
    random = np.random.default_rng(seed)
    rows = random.random((9, steps))
    rows[random.random((9, steps)) < 0.3] = np.nan
    rows[2] = random.random(steps)
    one = Curve(*rows)
    one.kl_T[:] = np.nan
    return one


def measure(curves: Curve) -> np.ndarray:
    best_R = trailing_mean(curves.reward_T, 3).max(axis=-1, initial=0.0)
    columns = (
        mean_recorded(curves.moved_T),
        max_recorded(curves.clipped_T),
        mean_recorded(curves.kl_T),
        best_R,
    )
    return np.stack(columns, axis=-1)


def test_curves_of_any_length_are_measured_as_each_alone() -> None:
    curves = [curve(steps, seed) for seed, steps in enumerate((5, 9, 5, 1, 9, 9))]
    for one, found in zip(curves, of_each(curves, measure), strict=True):
        moved_T = one.moved_T[~np.isnan(one.moved_T)]
        clipped_T = one.clipped_T[~np.isnan(one.clipped_T)]
        window = [one.reward_T[max(0, t - 2) : t + 1].mean() for t in range(len(one.reward_T))]
        assert found[0] == (pytest.approx(moved_T.mean()) if len(moved_T) else None)
        assert found[1] == (clipped_T.max() if len(clipped_T) else None)
        assert found[2] is None
        assert found[3] == pytest.approx(max(window))


def with_scores(run: Path, every: int, first: float) -> None:
    """Give every so many steps of a run a score on the selection bench, each 0.1 above the last."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for place, line in enumerate(lines[every - 1 :: every]):
        line["selection_avg_at_k"] = first + place / 10
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_scores_during_training_are_curves_of_the_arms_that_have_them(tmp_path: Path) -> None:
    for seed in (0, 1):
        run = write_run(tmp_path / f"{seed}", "lora", METHODS["lora"], seed=seed, steps=40)
        with_scores(run, every=20, first=0.3 + 0.2 * seed)
    write_run(tmp_path / "other", "ia3", METHODS["ia3"], steps=40)
    index = tmp_path / "index.sqlite"
    for _ in ("read", "cached"):
        (curve,) = selection_curves(build_leaderboard([tmp_path], index))
        assert curve.label == "lora"
        assert curve.step_T.tolist() == [20, 40]
        assert curve.mean_T == pytest.approx([0.4, 0.5])
        assert (curve.low_T, curve.high_T) == (pytest.approx([0.3, 0.4]), pytest.approx([0.5, 0.6]))
