"""Roots by bisection, beside scipy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from verirank.statistics._root import root_of


@given(st.floats(1e-6, 1e6))
def test_a_root_is_scipys(excess: float) -> None:
    def function(half: float) -> float:
        return float(special.polygamma(1, half)) - excess

    expected = optimize.brentq(function, 1e-4, 2e7, xtol=1e-15, rtol=1e-14)
    assert root_of(function, 1e-4, 2e7) == pytest.approx(expected, rel=1e-9)


def test_a_root_at_an_end_or_of_a_falling_function() -> None:
    assert root_of(lambda x: x, 0.0, 1.0) == 0.0
    assert root_of(lambda x: 1 - x, 0.0, 1.0) == 1.0
    assert root_of(math.cos, 1.0, 2.0) == pytest.approx(math.pi / 2, rel=1e-11)


def test_no_change_of_sign_is_refused() -> None:
    with pytest.raises(ValueError, match="no change of sign"):
        root_of(lambda x: x + 1, 0.0, 1.0)
