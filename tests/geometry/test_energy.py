"""Where an update's energy lies, for updates built out of the weight's own directions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verirank.geometry import (
    FRACTIONS,
    direction_energy,
    directions,
    energy_curve,
    in_span_ratio,
    isotropic_update,
)

ROWS, COLUMNS = 40, 100
WEIGHT = torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
BASE = directions(WEIGHT)


def outer(j: int, i: int) -> torch.Tensor:
    return torch.outer(BASE.left_MK[:, j], BASE.right_NK[:, i])


@given(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1))
def test_an_update_of_one_direction_has_all_its_energy_there(j: int, i: int) -> None:
    change = 0.3 * outer(j, i)
    right = direction_energy(change, BASE.right_NK)
    left = direction_energy(change.T, BASE.left_MK)
    torch.testing.assert_close(right, torch.eye(ROWS)[i], atol=1e-5, rtol=0)
    torch.testing.assert_close(left, torch.eye(ROWS)[j], atol=1e-5, rtol=0)


def test_two_directions_share_the_energy_by_their_squares() -> None:
    change = 3 * outer(1, 2) + 4 * outer(5, 7)
    energy = direction_energy(change, BASE.right_NK)
    assert energy[2].item() == pytest.approx(9 / 25, abs=1e-5)
    assert energy[7].item() == pytest.approx(16 / 25, abs=1e-5)


def test_scaling_the_weight_gives_the_curve_of_the_weight() -> None:
    curve = energy_curve(0.1 * WEIGHT, BASE.values_R, BASE.right_NK)
    assert curve.update == pytest.approx(curve.base, abs=1e-5)
    assert curve.base[-1] == pytest.approx(1)


def test_an_update_outside_the_weights_rows_has_no_energy_on_the_right() -> None:
    aside = torch.linalg.svd(WEIGHT, full_matrices=True)[2][ROWS:]
    change = torch.randn(ROWS, len(aside), generator=torch.Generator().manual_seed(1)) @ aside
    right = energy_curve(change, BASE.values_R, BASE.right_NK)
    left = energy_curve(change.T, BASE.values_R, BASE.left_MK)
    assert max(right.update) < 1e-5
    assert left.update[-1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_random_update_follows_the_isotropic_curve(side: str) -> None:
    change = isotropic_update(WEIGHT.shape, 1.0)
    if side == "left":
        curve = energy_curve(change.T, BASE.values_R, BASE.left_MK)
    else:
        curve = energy_curve(change, BASE.values_R, BASE.right_NK)
    assert curve.update == pytest.approx(curve.isotropic, abs=0.03)
    assert curve.isotropic[-1] == pytest.approx(1 if side == "left" else ROWS / COLUMNS)


def test_a_curve_never_falls_and_starts_with_at_least_one_direction() -> None:
    curve = energy_curve(outer(0, 0), BASE.values_R, BASE.right_NK)
    assert len(curve.update) == len(curve.base) == len(curve.isotropic) == len(FRACTIONS)
    assert curve.update[0] == pytest.approx(1, abs=1e-5)
    assert curve.isotropic[0] == 1 / COLUMNS
    assert list(curve.base) == sorted(curve.base)


@pytest.mark.parametrize(
    ("j", "i", "expected"), [(0, 0, 1), (7, 3, 1), (8, 0, 0), (0, 8, 0), (20, 20, 0)]
)
def test_only_an_update_between_leading_directions_is_in_span(
    j: int, i: int, expected: float
) -> None:
    ratio = in_span_ratio(outer(j, i), BASE.left_MK[:, :8], BASE.right_NK[:, :8])
    assert ratio == pytest.approx(expected, abs=1e-5)


def test_a_random_update_is_in_span_by_k_squared_over_the_entries() -> None:
    leading = BASE.leading(16)
    generator = torch.Generator().manual_seed(1)
    ratios = [
        in_span_ratio(
            torch.randn(ROWS, COLUMNS, generator=generator), leading.left_MK, leading.right_NK
        )
        for _ in range(100)
    ]
    assert sum(ratios) / 100 == pytest.approx(16 * 16 / (ROWS * COLUMNS), rel=0.05)
