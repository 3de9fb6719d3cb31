"""The rows of geometry.json: every measure beside its null, and what is said of no update."""

from __future__ import annotations

import pytest
import torch

from verirank.geometry import (
    Measured,
    Row,
    compare_updates,
    describe_update,
    directions,
    isotropic_update,
    measure_update,
    summarise,
)

NAME = "model.layers.3.self_attn.q_proj.weight"
WEIGHT = torch.randn(64, 96, generator=torch.Generator().manual_seed(1))
BASE = directions(WEIGHT)
K = 16
SPECTRAL = {
    "spectral_shift", "angle_left_mean", "angle_left_max", "angle_right_mean", "angle_right_max",
    "in_span_ratio", "effective_rank", "stable_rank",
}  # fmt: skip
VECTOR = {"base_norm", "change_norm", "relative_norm", "sparsity", "below_half_ulp"}


def rank_one(j: int, i: int, size: float) -> torch.Tensor:
    return size * torch.outer(BASE.left_MK[:, j], BASE.right_NK[:, i])


def value(row: Row, name: str) -> float:
    found = row.measures[name].value
    assert found is not None
    return found


def test_a_row_says_where_its_weight_stands() -> None:
    row = measure_update(NAME, WEIGHT, WEIGHT + 1)
    assert (row.module, row.layer, row.shape) == ("q_proj", 3, (64, 96))
    bias = measure_update("model.layers.3.self_attn.q_proj.bias", WEIGHT[0], WEIGHT[0] + 1)
    assert (bias.module, bias.layer) == ("q_proj.bias", 3)
    final = measure_update("model.norm.weight", WEIGHT[0], WEIGHT[0] + 1)
    assert (final.module, final.layer) == ("norm", None)


def test_growing_the_top_singular_pair_moves_values_and_turns_nothing() -> None:
    top = float(BASE.values_R[0])
    row = measure_update(NAME, WEIGHT, WEIGHT + rank_one(0, 0, 0.5 * top))
    norm = float(WEIGHT.norm())
    assert value(row, "relative_norm") == pytest.approx(0.5 * top / norm, rel=1e-4)
    assert value(row, "spectral_shift") == pytest.approx(0.5 * top / norm, rel=1e-4)
    assert value(row, "in_span_ratio") == pytest.approx(1, abs=1e-4)
    assert row.measures["in_span_ratio"].null == K * K / (64 * 96)
    assert value(row, "effective_rank") == pytest.approx(1, rel=1e-3)
    assert value(row, "stable_rank") == pytest.approx(1, rel=1e-4)
    assert value(row, "angle_left_max") < 0.01
    assert value(row, "angle_right_max") < 0.01


def test_pushing_a_trailing_direction_above_all_replaces_one_leading_direction() -> None:
    push = 2 * float(BASE.values_R[0])
    row = measure_update(NAME, WEIGHT, WEIGHT + rank_one(63, 63, push))
    assert value(row, "in_span_ratio") < 1e-6
    for side in ("left", "right"):
        assert value(row, f"angle_{side}_max") == pytest.approx(90, abs=0.1)
        assert value(row, f"angle_{side}_mean") == pytest.approx(90 / K, abs=0.1)


def test_an_isotropic_update_measures_as_its_null_does() -> None:
    change = isotropic_update(WEIGHT.shape, 0.02 * float(WEIGHT.norm()))
    row = measure_update(NAME, WEIGHT, WEIGHT + change)
    for name in SPECTRAL - {"in_span_ratio"} | {"sparsity", "below_half_ulp"}:
        assert value(row, name) == pytest.approx(row.measures[name].null, rel=0.02, abs=1e-4), name
    assert value(row, "in_span_ratio") == pytest.approx(K * K / (64 * 96), rel=0.3)


def test_a_matrix_has_every_measure_and_a_vector_those_of_entries() -> None:
    assert measure_update(NAME, WEIGHT, WEIGHT + 1).measures.keys() == SPECTRAL | VECTOR
    vector = measure_update("model.norm.weight", torch.ones(8), torch.full((8,), 1.5))
    assert vector.measures.keys() == VECTOR
    assert value(vector, "relative_norm") == pytest.approx(0.5)
    assert value(vector, "sparsity") == 0
    assert not vector.curves


def test_no_update_is_said_plainly() -> None:
    row = measure_update(NAME, WEIGHT, WEIGHT.clone())
    assert row.unchanged
    assert row.measures.keys() == SPECTRAL | VECTOR
    assert value(row, "sparsity") == value(row, "below_half_ulp") == 1
    assert value(row, "relative_norm") == 0
    assert all(row.measures[name] == Measured(None, None) for name in SPECTRAL)


def test_a_weight_that_was_zero_has_no_directions_and_no_relative_change() -> None:
    row = measure_update(NAME, torch.zeros(8, 8), torch.eye(8))
    assert row.measures.keys() == VECTOR
    assert row.measures["relative_norm"].value is None
    assert value(row, "sparsity") == 7 / 8


def test_the_base_is_not_written_to() -> None:
    before = WEIGHT.clone()
    measure_update(NAME, before, WEIGHT + 1)
    assert before.equal(WEIGHT)


def test_a_summary_pools_norms_over_entries_and_means_over_weights() -> None:
    small, large = torch.ones(4), torch.ones(12)
    rows = [
        measure_update("a.0.norm.weight", small, small + 1),
        measure_update("a.1.norm.weight", large, large.clone()),
        measure_update(NAME, WEIGHT, WEIGHT + rank_one(0, 0, 1.0)),
    ]
    summary = summarise(rows)
    norms = summary.modules["norm"]
    assert (norms.weights, norms.unchanged) == (2, 1)
    assert norms.measures["relative_norm"].value == pytest.approx((4 / 16) ** 0.5)
    assert norms.measures["sparsity"].value == pytest.approx(12 / 16)
    assert summary.overall.weights == 3
    assert summary.overall.measures["stable_rank"] == rows[2].measures["stable_rank"]
    assert summary.overall.curves.keys() == {"energy_left", "energy_right"}


def test_an_update_overlaps_with_itself_in_everything() -> None:
    trained = WEIGHT + rank_one(3, 5, 1.0) + rank_one(4, 6, 2.0)
    update = describe_update(WEIGHT, trained)
    row = compare_updates(NAME, update, describe_update(WEIGHT, trained))
    for name in ("mask_jaccard", "cosine", "overlap_left", "overlap_right"):
        assert value(row, name) == pytest.approx(1, abs=1e-4), name


def test_subspaces_are_compared_in_no_more_directions_than_the_updates_have() -> None:
    two = describe_update(WEIGHT, WEIGHT + rank_one(3, 5, 2.0) + rank_one(4, 6, 1.0))
    one = describe_update(WEIGHT, WEIGHT + rank_one(3, 9, 1.0))
    row = compare_updates(NAME, two, one)
    # Only the strongest direction of either: the same on the left, another on the right.
    assert value(row, "overlap_left") == pytest.approx(1, abs=1e-4)
    assert value(row, "overlap_right") < 1e-4
    assert row.measures["overlap_left"].null == 1 / 64
    assert row.measures["overlap_right"].null == 1 / 96
    assert abs(value(row, "cosine")) < 1e-4


def test_opposite_updates_share_their_mask_and_point_apart() -> None:
    up = describe_update(WEIGHT, WEIGHT * 1.01)
    down = describe_update(WEIGHT, WEIGHT * 0.99)
    row = compare_updates(NAME, up, down)
    assert value(row, "mask_jaccard") == 1
    assert value(row, "cosine") == pytest.approx(-1, abs=1e-4)


def test_independent_updates_overlap_at_chance() -> None:
    generator = torch.Generator().manual_seed(5)
    first, second = (
        describe_update(WEIGHT, WEIGHT * (1 + 0.002 * torch.randn(64, 96, generator=generator)))
        for _ in range(2)
    )
    row = compare_updates(NAME, first, second)
    for name in ("mask_jaccard", "overlap_left", "overlap_right", "cosine"):
        measured = row.measures[name]
        assert measured.value == pytest.approx(measured.null, abs=0.05), name


def test_comparing_with_no_update_is_said_plainly() -> None:
    none = describe_update(WEIGHT, WEIGHT.clone())
    row = compare_updates(NAME, none, none)
    assert row.unchanged
    assert all(measured.value is None for measured in row.measures.values())
