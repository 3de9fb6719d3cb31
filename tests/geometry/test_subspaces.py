"""Singular directions and angles, against rotations and decompositions whose answer is known."""

from __future__ import annotations

from math import cos, sin

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import subspace_angles

from verirank.geometry import (
    directions,
    principal_angles,
    singular_values,
    subspace_overlap,
    top_k,
)


def orthonormal(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(noise)[0]


def rotated(angles: list[float], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two planes or more in which each direction is turned by a given angle."""
    k = len(angles)
    frame = orthonormal(40, 2 * k)
    first, aside = frame[:, :k], frame[:, k:]
    cosines, sines = (torch.tensor([f(a) for a in angles]).double() for f in (cos, sin))
    mixing = orthonormal(k, k, seed=1)
    return first.to(dtype), ((first * cosines + aside * sines) @ mixing).to(dtype)


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (30, 30), (1, 7)])
def test_directions_rebuild_a_matrix_of_any_shape(shape: tuple[int, int]) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = directions(weight)
    assert found.left_MK.shape == (shape[0], min(shape))
    assert found.right_NK.shape == (shape[1], min(shape))
    torch.testing.assert_close(found.left_MK * found.values_R @ found.right_NK.T, weight)
    torch.testing.assert_close(singular_values(weight), found.values_R)


def test_small_singular_values_survive_fp32() -> None:
    known = torch.logspace(0, -5, 20, dtype=torch.float64)
    weight = orthonormal(60, 20) * known @ orthonormal(20, 20, seed=1).T
    found = singular_values(weight.float()).double()
    torch.testing.assert_close(found, known, rtol=0.02, atol=0)


def test_leading_directions_are_the_first_ones_and_keep_every_value() -> None:
    weight = torch.diag(torch.tensor([4.0, 3.0, 2.0, 1.0]))
    leading = directions(weight).leading(2)
    assert leading.values_R.tolist() == [4, 3, 2, 1]
    torch.testing.assert_close(leading.left_MK.abs(), torch.eye(4)[:, :2])
    torch.testing.assert_close(leading.right_NK.abs(), torch.eye(4)[:, :2])


@given(st.lists(st.floats(1e-6, 1.57), min_size=1, max_size=8))
def test_angles_are_those_of_the_rotation(angles: list[float]) -> None:
    found = principal_angles(*rotated(angles, torch.float64))
    torch.testing.assert_close(found, torch.tensor(sorted(angles)).double(), rtol=1e-6, atol=1e-12)


def test_angles_too_small_for_an_fp32_cosine_are_found() -> None:
    found = principal_angles(*rotated([1e-5, 1e-4], torch.float32))
    torch.testing.assert_close(found, torch.tensor([1e-5, 1e-4]), rtol=0.05, atol=0)


def test_angles_agree_with_scipy() -> None:
    first, second = orthonormal(30, 6), orthonormal(30, 6, seed=1)
    expected = np.sort(subspace_angles(first.numpy(), second.numpy()))
    np.testing.assert_allclose(principal_angles(first, second).numpy(), expected, rtol=1e-9)


def test_a_subspace_overlaps_with_itself_in_any_basis_by_one() -> None:
    basis = orthonormal(30, 6)
    assert subspace_overlap(basis, basis @ orthonormal(6, 6, seed=1)) == pytest.approx(1)


def test_overlap_counts_the_shared_directions() -> None:
    frame = torch.eye(10)
    assert subspace_overlap(frame[:, :4], frame[:, 3:7]) == pytest.approx(1 / 4)


def test_random_subspaces_overlap_by_k_over_n_on_average() -> None:
    found = [
        subspace_overlap(orthonormal(60, 6, seed=i), orthonormal(60, 6, seed=1000 + i))
        for i in range(200)
    ]
    assert sum(found) / 200 == pytest.approx(6 / 60, rel=0.05)


@pytest.mark.parametrize(
    ("shape", "k"), [((576, 1536), 32), ((64, 128), 16), ((128, 8), 2), ((3, 3), 1)]
)
def test_a_leading_subspace_is_a_quarter_of_the_directions_and_at_most_32(
    shape: tuple[int, int], k: int
) -> None:
    assert top_k(shape) == k
