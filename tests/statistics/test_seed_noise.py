"""Seeds' noise is told by all methods together, and methods that scatter unalike stay safe."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from verirank.statistics import holm, noise_of_differences
from verirank.statistics._seed_noise import independent_pairs, moderated

METHODS = 13
PAIRS = np.triu_indices(METHODS, k=1)


def false_finding(means_MS: np.ndarray) -> bool:
    """Return whether any of the methods, which are all equal, is told from another."""
    noise = noise_of_differences(means_MS, *PAIRS)
    assert noise is not None
    mean_N = means_MS.mean(axis=1)
    error_N = np.sqrt(noise.variance_B / means_MS.shape[1])
    t_N = np.abs(mean_N[PAIRS[0]] - mean_N[PAIRS[1]]) / error_N
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


def test_what_the_three_seeds_of_a_pair_cannot_tell_thirteen_methods_can() -> None:
    generator = np.random.default_rng(1)
    means_MS = generator.normal(size=(METHODS, 3))
    noise = noise_of_differences(means_MS, *PAIRS)
    assert noise is not None
    assert 4 < noise.degrees_B.min() <= noise.degrees_B.max() <= 24


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
    found = moderated(own_B, degrees, count)
    assert found.degrees_B[0] == pytest.approx(prior + degrees, rel=0.05)


def test_variances_that_agree_lend_each_other_all_their_degrees() -> None:
    found = moderated(np.array([1.0, 1.1, 0.9, 1.0]), 2, 4)
    assert found.degrees_B.tolist() == [8.0] * 4
    assert found.variance_B == pytest.approx([1.0, 1.1, 1.0, 1.0], rel=1e-5)


def test_a_variance_far_above_the_others_stays_as_it_is() -> None:
    found = moderated(np.array([1.0, 1.1, 0.9, 400.0]), 2, 4)
    assert found.variance_B[3] == 400.0
    assert found.degrees_B[3] < 4


def test_without_any_variance_there_is_none() -> None:
    assert moderated(np.zeros(3), 2, 3).variance_B.tolist() == [0.0] * 3


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
