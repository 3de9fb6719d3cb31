"""What runs' curves tell is measured of many at once as it would be of each alone."""

from __future__ import annotations

import numpy as np
import pytest

from verirank.report._curve import Curve, mean_told, most_told, of_each, trailing_mean


def curve(steps: int, seed: int) -> Curve:
    """Return a curve that does not tell everything at every step, and of the KL nothing."""
    random = np.random.default_rng(seed)
    rows = random.random((8, steps))
    rows[random.random((8, steps)) < 0.3] = np.nan
    rows[2] = random.random(steps)
    one = Curve(*rows)
    one.kl_T[:] = np.nan
    return one


def measure(curves: Curve) -> np.ndarray:
    best_R = trailing_mean(curves.reward_T, 3).max(axis=-1, initial=0.0)
    columns = mean_told(curves.moved_T), most_told(curves.clipped_T), mean_told(curves.kl_T), best_R
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
