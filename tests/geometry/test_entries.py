"""Which entries an update moves, for updates set entry by entry."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verirank.geometry import (
    below_half_ulp,
    cosine,
    jaccard,
    jaccard_chance,
    sparsity,
    update_mask,
)


def test_an_entry_counts_as_updated_above_a_thousandth_of_the_larger_value() -> None:
    before = torch.tensor([1.0, 1.0, -2.0, 1.0, 0.0, 0.0])
    after = torch.tensor([1.0009, 1.0011, -2.0019, 0.998, 0.0, 1e-20])
    assert update_mask(before, after).tolist() == [False, True, False, True, False, True]
    assert sparsity(before, after) == pytest.approx(3 / 6)


@given(st.integers(-120, 120), st.floats(1, 1.99), st.sampled_from([-1, 1]))
def test_changes_are_measured_in_half_ulps_of_bf16(exponent: int, digits: float, sign: int) -> None:
    before = torch.tensor([sign * math.ldexp(digits, exponent)])
    half = math.ldexp(1, exponent - 8)
    smaller, larger = before + 0.98 * half, before + 1.02 * half
    assert below_half_ulp(before, smaller) == 1
    assert below_half_ulp(before, larger) == 0


def test_a_change_below_half_an_ulp_is_rounded_away_and_one_above_is_not() -> None:
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(5000, generator=generator).bfloat16().float()
    after = before + torch.randn(5000, generator=generator) * 0.003
    # Just below a power of two the grid is finer, so values there may move by a quarter ULP.
    at_a_power = torch.frexp(before)[0].abs() == 0.5
    before, after = before[~at_a_power], after[~at_a_power]
    stays = after.bfloat16().float() == before
    assert below_half_ulp(before, after) == pytest.approx(stays.float().mean().item(), abs=1e-3)
    assert 0.2 < stays.float().mean() < 0.9


def test_zero_can_move_to_the_smallest_bf16() -> None:
    before = torch.zeros(2)
    after = torch.tensor([0.0, 2.0**-133])
    assert below_half_ulp(before, after) == 0.5


def test_jaccard_counts_what_two_masks_share() -> None:
    first = torch.tensor([True, True, True, False, False])
    second = torch.tensor([False, True, True, True, False])
    assert jaccard(first, second) == pytest.approx(2 / 4)
    p = q = 3 / 5
    assert jaccard_chance(first, second) == pytest.approx(p * q / (p + q - p * q))


def test_two_empty_masks_have_no_overlap_to_speak_of() -> None:
    empty = torch.zeros(4, dtype=torch.bool)
    assert jaccard(empty, empty) is None
    assert jaccard_chance(empty, empty) is None
    assert jaccard(empty, ~empty) == 0


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_independent_masks_overlap_by_chance(p: float, q: float) -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(200_000, generator=generator) < d for d in (p, q))
    five_sigma = 5 / math.sqrt(200_000 * p * q)
    assert jaccard(first, second) == pytest.approx(jaccard_chance(first, second), rel=five_sigma)


@given(st.floats(0, 180), st.floats(1e-6, 1e6))
def test_the_cosine_is_that_of_the_angle_between_updates(angle: float, size: float) -> None:
    first = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    turn = math.radians(angle)
    second = size * torch.tensor([[math.cos(turn), 0.0], [math.sin(turn), 0.0]])
    assert cosine(first, second) == pytest.approx(math.cos(turn), abs=1e-6)
