"""All measures of one weight's update, each beside its null."""

from __future__ import annotations

from math import degrees

from torch import Tensor

from verirank.geometry._energy import Curve, energy_curve, in_span_ratio
from verirank.geometry._entries import below_half_ulp, sparsity
from verirank.geometry._isotropic import isotropic_ranks, isotropic_update
from verirank.geometry._row import Measured, Row, make_row
from verirank.geometry._spectra import effective_rank, rounding_floor, spectral_shift, stable_rank
from verirank.geometry._subspaces import (
    Directions,
    directions,
    principal_angles,
    singular_values,
    top_k,
)

SPECTRAL = (
    "spectral_shift",
    "angle_left_mean",
    "angle_left_max",
    "angle_right_mean",
    "angle_right_max",
    "in_span_ratio",
    "effective_rank",
    "stable_rank",
)
"""Measures of matrices only, in the order of geometry.json; angles are in degrees."""


def measure_update(name: str, before: Tensor, after: Tensor) -> Row:
    """Measure what training did to one weight.

    Args:
        name: the weight's name in the base's state_dict.
        before: W0 in fp32.
        after: the effective weight W+ in fp32.
    """
    change = after - before
    base_norm, norm = float(before.norm()), float(change.norm())
    has_directions = before.ndim == 2 and base_norm > 0
    measures = {
        "base_norm": Measured(base_norm),
        "change_norm": Measured(norm),
        "relative_norm": Measured(norm / base_norm if base_norm else None),
    }
    if norm == 0:
        entries = dict.fromkeys(("sparsity", "below_half_ulp"), Measured(1.0, 1.0))
        spectral = dict.fromkeys(SPECTRAL if has_directions else (), Measured(None))
        return make_row(name, before.shape, unchanged=True, measures=measures | entries | spectral)
    measures |= _entry_measures(before, after, norm)
    curves: dict[str, Curve] = {}
    if has_directions:
        spectral, curves = _spectral_measures(before, after, change, norm)
        measures |= spectral
    return make_row(name, before.shape, unchanged=False, measures=measures, curves=curves)


def _entry_measures(before: Tensor, after: Tensor, norm: float) -> dict[str, Measured]:
    null = before + isotropic_update(before.shape, norm)
    return {
        measure.__name__: Measured(measure(before, after), measure(before, null))
        for measure in (sparsity, below_half_ulp)
    }


def _spectral_measures(
    before: Tensor, after: Tensor, change: Tensor, norm: float
) -> tuple[dict[str, Measured], dict[str, Curve]]:
    rows, columns = before.shape
    k = top_k((rows, columns))
    base = directions(before)
    curves = {
        "energy_left": energy_curve(change.T, base.values_R, base.left_MK),
        "energy_right": energy_curve(change, base.values_R, base.right_NK),
    }
    base = base.leading(k)
    inside = in_span_ratio(change, base.left_MK, base.right_NK)
    ranks = _ranks(change, floor=rounding_floor(after))
    # One whole decomposition at a time: the factors of an embedding are as large as itself.
    trained = _turns(base, directions(after).leading(k))
    null = _turns(base, directions(before + isotropic_update(before.shape, norm)).leading(k))
    measures = {key: Measured(trained[key], null[key]) for key in trained}
    measures["in_span_ratio"] = Measured(inside, k * k / (rows * columns))
    return measures | ranks, curves


def _turns(base: Directions, moved: Directions) -> dict[str, float]:
    """Return how far values and leading directions moved; angles in degrees."""
    left_K = principal_angles(base.left_MK, moved.left_MK)
    right_K = principal_angles(base.right_NK, moved.right_NK)
    return {
        "spectral_shift": spectral_shift(base.values_R, moved.values_R),
        "angle_left_mean": degrees(float(left_K.mean())),
        "angle_left_max": degrees(float(left_K[-1])),
        "angle_right_mean": degrees(float(right_K.mean())),
        "angle_right_max": degrees(float(right_K[-1])),
    }


def _ranks(change: Tensor, floor: float) -> dict[str, Measured]:
    values_R = singular_values(change)
    effective, stable = isotropic_ranks(change.shape)
    return {
        "effective_rank": Measured(effective_rank(values_R, floor), effective),
        "stable_rank": Measured(stable_rank(values_R), stable),
    }
