"""Seeds' noise is told by all methods together, and methods that scatter unalike stay safe."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import special, stats

from verirank.statistics import (
    accuracies,
    holm,
    independent_pairs,
    moderated,
    noise_of_arms,
    noise_of_differences,
)

METHODS = 13
PAIRS = np.triu_indices(METHODS, k=1)


def false_finding(means_MS: np.ndarray) -> bool:
    """Return whether any of the methods, which are all equal, is told from another."""
    pairs = np.triu_indices(len(means_MS), k=1)
    noise = noise_of_differences(means_MS, *pairs)
    assert noise is not None
    mean_N = means_MS.mean(axis=1)
    error_N = np.sqrt(noise.variance_B / means_MS.shape[1])
    t_N = np.abs(mean_N[pairs[0]] - mean_N[pairs[1]]) / error_N
    return bool(holm(2 * special.stdtr(noise.degrees_B, -t_N)).min() <= 0.05)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(
    "spreads",
    [
        [1.0] * 13,
        [3.0] + [1.0] * 12,
        [5.0] + [1.0] * 12,
        [0.2] * 7 + [1.0] * 6,
        [3.0] * 6 + [1.0] * 7,
    ],
    ids=["equal", "one 3x", "one 5x", "seven 0.2x", "six 3x"],
)
def test_equal_methods_that_scatter_unalike_are_told_apart_6_times_in_100_at_most(
    seeds: int, spreads: list[float]
) -> None:
    generator = np.random.default_rng([seeds, round(10 * sum(spreads))])
    studies = 1000
    scaled = generator.normal(size=(studies, METHODS, seeds)) * np.array(spreads)[:, None]
    found = sum(false_finding(means_MS) for means_MS in scaled)
    # Two standard errors of so many studies are 1.5 in 100.
    assert found / studies <= 0.06 + 0.015


@pytest.mark.parametrize("spread", [3.0, 5.0, 10.0])
def test_four_equal_methods_of_which_one_scatters_are_told_apart_6_times_in_100_at_most(
    spread: float,
) -> None:
    scaled = np.random.default_rng(round(spread)).normal(size=(2000, 4, 3))
    scaled[:, 0] *= spread
    found = sum(false_finding(means_MS) for means_MS in scaled)
    # Two standard errors of so many studies are 1 in 100.
    assert found / len(scaled) <= 0.06 + 0.01


def test_what_the_three_seeds_of_a_pair_cannot_tell_thirteen_methods_can() -> None:
    generator = np.random.default_rng(1)
    means_MS = generator.normal(size=(METHODS, 3))
    noise = noise_of_differences(means_MS, *PAIRS)
    assert noise is not None
    # A pair alone has 2.
    assert 3 < noise.degrees_B.min() <= noise.degrees_B.max() <= 24
    assert np.median(noise.degrees_B) > 15


def test_two_methods_alone_have_the_noise_of_the_paired_t_test() -> None:
    means_MS = np.random.default_rng(2).normal(size=(2, 4))
    noise = noise_of_differences(means_MS, np.array([0]), np.array([1]))
    assert noise is not None
    t = (means_MS[0] - means_MS[1]).mean() / np.sqrt(noise.variance_B[0] / 4)
    peer = stats.ttest_rel(means_MS[0], means_MS[1])
    assert (t, noise.degrees_B[0]) == (pytest.approx(peer.statistic), 3)


@pytest.mark.parametrize("shape", [(1, 3), (4, 1)])
def test_one_method_or_one_seed_tells_no_noise(shape: tuple[int, int]) -> None:
    assert noise_of_differences(np.zeros(shape), np.array([0]), np.array([0])) is None


def test_variances_drawn_as_smyths_model_has_them_give_back_its_prior_degrees() -> None:
    generator, prior, degrees, count = np.random.default_rng(3), 6.0, 4, 50_000
    true_B = prior / generator.chisquare(prior, count)
    own_B = true_B * generator.chisquare(degrees, count) / degrees
    found = moderated(own_B, np.full(count, float(degrees)), count)
    assert found.degrees_B[0] == pytest.approx(prior + degrees, rel=0.05)


def test_variances_that_agree_lend_each_other_all_their_degrees() -> None:
    found = moderated(np.array([1.0, 1.1, 0.9, 1.0]), np.full(4, 2.0), 4)
    assert found.degrees_B.tolist() == [8.0] * 4
    assert found.variance_B == pytest.approx([1.0, 1.1, 1.0, 1.0], rel=1e-5)


def test_a_variance_far_above_the_others_stays_as_it_is() -> None:
    found = moderated(np.array([1.0, 1.1, 0.9, 400.0]), np.full(4, 2.0), 4)
    assert found.variance_B[3] == 400.0
    assert found.degrees_B[3] < 2.1


def test_without_any_variance_there_is_none() -> None:
    assert moderated(np.zeros(3), np.full(3, 2.0), 3).variance_B.tolist() == [0.0] * 3


@pytest.mark.parametrize(
    ("pairs", "independent"),
    [
        ([("a", "b"), ("c", "d"), ("e", "f")], 3.0),
        ([("a", "r"), ("b", "r"), ("c", "r")], 2.0),
        ([("a", "b"), ("a", "c"), ("b", "c")], 2.0),
        ([("a", "b"), ("b", "a")], 1.0),
        ([("a", "a")], 1.0),
    ],
)
def test_pairs_that_share_arms_are_worth_fewer_variances(pairs, independent: float) -> None:
    assert independent_pairs(pairs) == pytest.approx(independent)


def test_the_mean_variance_of_pairs_that_share_an_arm_has_the_degrees_that_are_said() -> None:
    generator, seeds, count = np.random.default_rng(4), 4, 8
    values = generator.normal(size=(20_000, count + 1, seeds))
    mean_R = (values[:, 1:] - values[:, :1]).var(axis=2, ddof=1).mean(axis=1)
    degrees = 2 * mean_R.mean() ** 2 / mean_R.var()
    said = (seeds - 1) * independent_pairs([(str(i), "r") for i in range(count)])
    assert said == pytest.approx(degrees, rel=0.05)


FAST = {(3, 1), (5, 9), (10, 78)}


@pytest.mark.parametrize(
    ("seeds", "tests"),
    [
        pytest.param(*case, marks=() if case in FAST else pytest.mark.thorough)
        for case in product((3, 5, 10), (1, 9, 78))
    ],
)
def test_changes_of_arms_that_do_not_change_are_found_at_most_1_15_times_the_level(
    seeds: int, tests: int
) -> None:
    generator = np.random.default_rng([seeds, tests])
    level, found, studies = 0.05 / tests, 0, 4000
    for _ in range(studies):
        means_MS = generator.normal(size=(METHODS, seeds))
        noise = noise_of_arms(means_MS)
        t_M = means_MS.mean(axis=1) / np.sqrt(noise.variance_B / seeds)
        found += int(np.sum(2 * special.stdtr(noise.degrees_B, -np.abs(t_M)) <= level))
    expected = studies * METHODS * level
    # Two standard errors of the count are allowed for.
    assert found <= 1.15 * expected + 2 * expected**0.5


def test_one_arm_alone_has_the_noise_of_the_t_test_of_its_seeds() -> None:
    means_1S = np.random.default_rng(5).normal(size=(1, 4))
    noise = noise_of_arms(means_1S)
    assert (noise.variance_B[0], noise.degrees_B[0]) == (pytest.approx(means_1S.var(ddof=1)), 3)


def test_arms_that_move_together_lend_each_other_no_degrees() -> None:
    shared = np.random.default_rng(6).normal(size=4)
    assert noise_of_arms(np.tile(shared, (8, 1))).degrees_B == pytest.approx(3.0)


def test_nan_and_masked_values_are_refused() -> None:
    masked = np.ma.masked_array(np.ones((3, 4)), mask=np.eye(3, 4))
    for bad in (np.full((3, 4), np.nan), masked):
        with pytest.raises(ValueError, match=r"not finite|masked"):
            noise_of_arms(bad)
        with pytest.raises(ValueError, match=r"not finite|masked"):
            noise_of_differences(bad, np.array([0]), np.array([1]))
    with pytest.raises(ValueError, match="masked"):
        accuracies(np.ma.masked_array(np.ones((1, 2, 2), dtype=bool), mask=False))
    with pytest.raises(ValueError, match="not finite"):
        holm([0.1, np.nan])


def test_no_tests_need_no_correction() -> None:
    assert holm([]).shape == (0,)
