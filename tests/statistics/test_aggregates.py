"""Probability of improvement against closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from verirank.statistics import probability_of_improvement

# Few values, so that ties and equal columns occur.
scores = arrays.arrays(
    float, st.tuples(st.integers(1, 5), st.just(4)), elements=st.sampled_from([0.0, 0.3, 0.5, 1.0])
)


@given(x_ST=scores, y_ST=scores)
def test_the_probability_of_improvement_is_mann_whitneys_u_over_the_pairs(x_ST, y_ST) -> None:
    pairs = zip(x_ST.T, y_ST.T, strict=True)
    u = [stats.mannwhitneyu(x, y, method="asymptotic").statistic for x, y in pairs]
    expected = np.mean(u) / len(x_ST) / len(y_ST)
    assert probability_of_improvement(x_ST, y_ST).value == pytest.approx(expected)


def test_equal_scores_improve_half_the_time() -> None:
    assert probability_of_improvement(np.ones((3, 2)), np.ones((3, 2))).value == 0.5


@given(x_ST=scores, y_ST=scores)
def test_the_two_methods_chances_add_up_to_1(x_ST, y_ST) -> None:
    forth, back = probability_of_improvement(x_ST, y_ST), probability_of_improvement(y_ST, x_ST)
    assert forth.value + back.value == pytest.approx(1)
    assert (forth.low is None) == (back.low is None)
    if forth.low is not None and back.high is not None:
        assert forth.low == pytest.approx(1 - back.high)


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_get_a_value_and_no_interval(seeds: int) -> None:
    few = np.array([[0.1, 0.5, 0.7, 0.9], [0.2, 0.4, 0.8, 0.9]])[:seeds]
    for chance in (
        probability_of_improvement(few, np.zeros((3, 4))),
        probability_of_improvement(np.ones((3, 4)), few),
    ):
        assert (chance.value, chance.low, chance.high) == (1.0, None, None)


def test_seeds_without_spread_get_no_interval_rather_than_one_of_no_width() -> None:
    same = np.full((3, 4), 0.4)
    assert probability_of_improvement(same + 0.1, same).low is None


def test_an_interval_holds_its_value_and_stays_within_0_and_1() -> None:
    generator = np.random.default_rng(3)
    x_ST, y_ST = generator.random((3, 5)), generator.random((4, 5))
    found = probability_of_improvement(x_ST, y_ST)
    assert found.low is not None and found.high is not None
    assert 0 <= found.low < found.value < found.high <= 1


@pytest.mark.parametrize("bad", [[0.1, 0.2], [[np.nan, 0.1]], np.zeros((0, 3))])
def test_missing_scores_and_wrong_shapes_are_refused(bad) -> None:
    with pytest.raises(ValueError, match=r"finite|expected an array of 2 axes"):
        probability_of_improvement(np.array(bad), np.ones((2, 2)))


def test_other_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="same tasks"):
        probability_of_improvement(np.zeros((2, 3)), np.zeros((2, 4)))
