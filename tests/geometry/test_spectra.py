"""Spectral shift and ranks, where the answer is known in closed form."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verirank.geometry import (
    effective_rank,
    isotropic_ranks,
    isotropic_update,
    rounding_floor,
    singular_values,
    spectral_shift,
    stable_rank,
)


@given(st.floats(0.01, 3))
def test_scaling_a_weight_shifts_its_spectrum_by_the_scale_less_one(scale: float) -> None:
    weight = torch.randn(12, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = spectral_shift(singular_values(weight), singular_values(scale * weight))
    assert found == pytest.approx(abs(scale - 1), abs=1e-9)


def test_rotating_a_weight_leaves_its_spectrum() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(20, 20, generator=generator, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(20, 20, generator=generator, dtype=torch.float64))[0]
    assert spectral_shift(singular_values(weight), singular_values(turn @ weight)) < 1e-12


@given(st.integers(1, 20), st.floats(1e-6, 1e3))
def test_equal_singular_values_have_the_rank_of_their_number(rank: int, size: float) -> None:
    values = torch.cat((torch.full((rank,), size), torch.zeros(20 - rank)))
    assert effective_rank(values) == pytest.approx(rank)
    assert stable_rank(values) == pytest.approx(rank)


def test_ranks_of_unequal_values_follow_their_formulas() -> None:
    values = torch.tensor([2.0, 1.0, 1.0])
    # Shares 1/2, 1/4, 1/4 have entropy 1.5 ln 2; (4 + 1 + 1) / 4.
    assert effective_rank(values) == pytest.approx(2**1.5)
    assert stable_rank(values) == pytest.approx(1.5)


def test_no_value_above_the_floor_has_no_effective_rank() -> None:
    assert effective_rank(torch.zeros(4)) is None
    assert effective_rank(torch.tensor([1.0, 0.5]), floor=1.0) is None


@pytest.mark.parametrize("relative", [1e-3, 1e-4, 1e-5])
def test_rounding_does_not_raise_the_rank_of_a_small_low_rank_update(relative: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(192, 256, generator=generator)
    left, right = (torch.linalg.qr(torch.randn(n, 8, generator=generator))[0] for n in (192, 256))
    update = left @ right.T * (relative * weight.norm() / 8**0.5)
    trained = weight + update
    values = singular_values(trained - weight)
    assert effective_rank(values, rounding_floor(trained)) == pytest.approx(8, rel=0.01)


def test_rounding_alone_lies_below_the_floor() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(300, 100, dtype=torch.float64, generator=generator)
    rounded = weight.float()
    largest = float(torch.linalg.svdvals(rounded.double() - weight)[0])
    assert largest < rounding_floor(rounded) < 4 * largest


def test_zeros_add_nothing_to_the_rounding_floor() -> None:
    weight = torch.zeros(10, 10)
    weight[0, 0] = 1e-6
    assert rounding_floor(weight) < 1e-12


def test_an_isotropic_update_has_the_norm_asked_for_and_repeats() -> None:
    shape = torch.Size((30, 40))
    update = isotropic_update(shape, 0.25)
    assert float(update.norm()) == pytest.approx(0.25, rel=1e-5)
    assert update.equal(isotropic_update(shape, 0.25))


def test_the_stable_rank_of_an_isotropic_update_is_that_of_random_matrix_theory() -> None:
    # The largest singular value of M x N noise tends to sqrt(M) + sqrt(N) (Marchenko and Pastur).
    rows, columns = 400, 900
    _, stable = isotropic_ranks(torch.Size((rows, columns)))
    assert stable == pytest.approx(rows * columns / (20 + 30) ** 2, rel=0.03)


def test_an_isotropic_update_has_nearly_full_effective_rank() -> None:
    effective, _ = isotropic_ranks(torch.Size((100, 1000)))
    assert effective is not None
    assert 97 < effective < 100
