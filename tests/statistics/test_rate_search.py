"""A learning-rate search: rates that are surely worse, the rate chosen, and the luck in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verirank.statistics import (
    UNSEARCHED,
    FinalScores,
    SearchNoise,
    SeedNoise,
    compare_all_pairs,
    surely_worse,
)

GRID = tuple(float(f"{10.0**n:.3g}") for n in (-4, -3.5, -3, -2.5, -2))
LOG_G = np.log10(GRID)
SEED_SD = 0.015


def runs(means_R: np.ndarray, seeds: int, problems: int, generator: np.random.Generator):
    """Return the shares of 8 right samples, R x S x P, of problems and seeds that differ."""
    chance_P = generator.beta(1.8, 0.8, problems)
    weight_P = chance_P * (1 - chance_P) / np.mean(chance_P * (1 - chance_P))
    shift_RS = means_R[:, None] + generator.normal(0, SEED_SD, (len(means_R), seeds))
    chance_RSP = chance_P + shift_RS[:, :, None] * weight_P
    return generator.binomial(8, chance_RSP.clip(0, 1)) / 8


def searched(bend: float, best: float, generator: np.random.Generator) -> FinalScores:
    """Return a search with three seeds of a method whose score falls by `bend` a decade^2."""
    values_RSP = runs(-bend * (LOG_G - best) ** 2, 3, 128, generator)
    return FinalScores(GRID, (0, 1, 2, 3, 4), values_RSP)


def test_equal_rates_are_dropped_5_times_in_100_at_most() -> None:
    generator = np.random.default_rng(0)
    found = [surely_worse(runs(np.zeros(5), 3, 64, generator)).any() for _ in range(150)]
    assert np.mean(found) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 150)


def test_rates_far_below_the_best_are_dropped_with_two_seeds_or_three() -> None:
    generator = np.random.default_rng(1)
    for seeds in (2, 3):
        worse_R = surely_worse(runs(np.array([-0.4, 0.0, -0.001]), seeds, 128, generator))
        assert worse_R.tolist() == [True, False, False]


@pytest.mark.parametrize("shape", [(1, 3, 8), (3, 1, 8), (3, 3, 1)])
def test_of_one_rate_seed_or_problem_nothing_is_sure(shape: tuple[int, int, int]) -> None:
    values_RSP = np.arange(shape[0])[:, None, None] / 3 + np.zeros(shape)
    assert not surely_worse(values_RSP).any()
    assert FinalScores(GRID, tuple(range(shape[0])), values_RSP).search_variance() == 0
    assert (
        FinalScores(GRID, (1, 2, 3), np.array([[[0.1]], [[0.9]], [[0.2]]])).search_variance() == 0
    )


@given(best=st.floats(-3.9, -2.1), bend=st.floats(0.01, 1))
@settings(max_examples=50, deadline=None)
def test_without_noise_the_curve_finds_a_near_best_rate_and_counts_a_far_one(
    best: float, bend: float
) -> None:
    values_RSP = np.broadcast_to((0.5 - bend * (LOG_G - best) ** 2)[:, None, None], (5, 3, 8))
    found = FinalScores(GRID, (0, 1, 2, 3, 4), values_RSP)
    off = best - np.log10(found.best)
    # Rates are rounded to three digits.
    expected = np.log10(found.best) + np.clip(off, -0.125, 0.125)
    assert np.log10(found.rate) == pytest.approx(expected, abs=0.005)
    missed = bend * off**2 if abs(off) > 0.128 else 0.0
    if abs(off) < 0.122 or missed:
        assert found.search_variance() == pytest.approx(missed**2, rel=0.05, abs=1e-9)


def test_a_cliff_behind_the_best_rate_widens_the_interval() -> None:
    values_RSP = np.array([0.5, 0.68, 0.75, 0.3, 0.2])[:, None, None] + np.zeros((5, 3, 8))
    found = FinalScores(GRID, (0, 1, 2, 3, 4), values_RSP)
    assert np.log10(found.rate / found.best) == pytest.approx(-0.125, abs=0.004)
    assert found.search_variance() > 0.02**2


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.data())
@settings(max_examples=80, deadline=None)
def test_the_chosen_rate_lies_within_a_quarter_step_of_the_best_and_between_finalists(
    scores: list[float], data: st.DataObject
) -> None:
    grid = tuple(float(f"{10.0 ** (-4 + n / 2):.3g}") for n in range(8))
    places = data.draw(
        st.lists(st.integers(0, 7), min_size=len(scores), max_size=len(scores), unique=True)
    )
    values_RSP = np.repeat(np.array(scores)[:, None, None], 4, axis=2)
    found = FinalScores(grid, tuple(sorted(places)), values_RSP)
    finalists = [grid[place] for place in sorted(places)]
    assert finalists[0] <= found.rate <= finalists[-1]
    assert abs(np.log10(found.rate / found.best)) <= 0.125 + 0.006
    beside = any(c - a == 2 for a, c in zip(sorted(places), sorted(places)[2:], strict=False))
    assert found.rate == found.best or beside
    assert found.best == finalists[int(np.argmax(scores))]


def test_a_rate_beside_one_that_failed_is_not_moved_towards_it() -> None:
    values_RSP = np.array([0.7, 0.8, 0.79])[:, None, None] + np.zeros((3, 3, 8))
    assert FinalScores(GRID, (0, 1, 3), values_RSP).rate == GRID[1]
    assert FinalScores(GRID, (0, 2), values_RSP[:2]).rate == GRID[2]


@pytest.mark.parametrize("bend", [0.06, 0.24])
def test_the_variance_covers_what_searches_fall_short_by(bend: float) -> None:
    generator = np.random.default_rng(2)
    short, told = [], []
    for best in generator.uniform(-3.5, -2.5, 60):
        found = searched(bend, best, generator)
        short.append(bend * (np.log10(found.rate) - best) ** 2)
        told.append(found.search_variance())
    mean_square = float(np.mean(np.square(short)))
    assert np.var(short) <= mean_square <= np.mean(told) <= 0.01**2


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_methods_equal_at_their_optima_are_told_apart_6_times_in_100_at_most(seeds: int) -> None:
    generator, apart, studies = np.random.default_rng(seeds), 0, 250
    for _ in range(studies):
        best_M = generator.uniform(-3.5, -2.5, 2)
        searches = [searched(0.12, best, generator) for best in best_M]
        short_M = 0.12 * (np.log10([one.rate for one in searches]) - best_M) ** 2
        own = {str(m): one.search_variance() for m, one in enumerate(searches)}
        values_MSP = runs(-short_M, seeds, 128, generator)
        methods = {str(m): values_SP for m, values_SP in enumerate(values_MSP)}
        tests = compare_all_pairs(methods, generator, search=SearchNoise.pooled(own, 2))
        apart += tests.is_better(*tests.arms[:2])
    assert apart / studies <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / studies)


def test_a_search_counts_in_every_seed_alike() -> None:
    noise = SeedNoise(np.array([0.0004, 0.0004, 0.0]), np.array([2.0, 2.0, 2.0]))
    search = SearchNoise({}, 8.0)
    found = search.added(noise, np.array([0.0, 0.0004, 0.0]), 3)
    assert found is not None
    assert found.variance_B == pytest.approx([0.0004, 0.0016, 0.0])
    # Satterthwaite: of variances 0.0004 on 2 and 0.0012 on 8 degrees.
    assert found.degrees_B == pytest.approx([2.0, 0.0016**2 / (0.0004**2 / 2 + 0.0012**2 / 8), 2.0])
    assert search.added(None, np.array([0.1]), 1) is None


def test_no_search_counts_less_than_the_mean_of_all_and_one_without_an_estimate_as_much() -> None:
    found = SearchNoise.pooled({"a": 0.0, "b": 1.0, "c": 5.0, "d": None}, 2)
    assert found.of(["a", "b", "c", "d", "set"]).tolist() == [2.0, 2.0, 5.0, 2.0, 0.0]
    assert found.degrees == 8
    assert SearchNoise.pooled({"a": None}, 2) == UNSEARCHED


def test_a_search_widens_intervals_lowers_no_rank_and_stays_with_more_seeds() -> None:
    generator = np.random.default_rng(3)
    values_MSP = runs(np.array([0.0, -0.03, -0.1]), 3, 128, generator)
    methods = dict(zip("abc", values_MSP, strict=True))
    search = SearchNoise({"a": 0.02**2, "b": 0.02**2}, 4.0)
    plain, with_search = (
        compare_all_pairs(methods, np.random.default_rng(0), search=one)
        for one in (UNSEARCHED, search)
    )
    narrow, wide = plain.tests, with_search.tests
    assert (wide.high_N - wide.low_N > narrow.high_N - narrow.low_N).all()
    assert (wide.p_N > narrow.p_N).all()
    added_N = np.array([2.0, 1.0, 1.0]) * 0.02**2
    assert wide.variance_N == pytest.approx(narrow.variance_N + added_N)
    # However many seeds, the luck of two searches remains.
    assert with_search.detectable("a", "b", 10**6) > 2 * np.sqrt(2) * 0.02
    assert plain.detectable("a", "b", 10**6) < 0.05


@pytest.mark.parametrize(
    ("grid", "places", "values"),
    [
        ((1.0, 2.0), (0, 1), np.zeros((1, 3, 4))),
        ((2.0, 1.0), (0, 1), np.zeros((2, 3, 4))),
        ((0.0, 1.0), (0, 1), np.zeros((2, 3, 4))),
        ((1.0, 2.0), (1, 0), np.zeros((2, 3, 4))),
        ((1.0, 2.0), (0, 2), np.zeros((2, 3, 4))),
        ((1.0, 2.0), (0, 1), np.full((2, 3, 4), np.nan)),
        ((1.0, 2.0), (0, 1), np.zeros((2, 4))),
    ],
)
def test_scores_that_are_not_those_of_the_finalists_are_refused(
    grid: tuple[float, ...], places: tuple[int, ...], values: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=r"finalist|finite|axes"):
        FinalScores(grid, places, values)
