"""Intervals cover the truth as often as they say; comparisons keep their error rate."""

from __future__ import annotations

from itertools import combinations
from time import perf_counter

import numpy as np
import pytest
from scipy import stats

from verirank.statistics import (
    AllPairs,
    Difficulty,
    SeedNoise,
    StudyModel,
    accuracies,
    accuracy_interval,
    accuracy_intervals,
    bootstrap_mean,
    bootstrap_means,
    compare_all_pairs,
    holm,
    noise_of_differences,
    paired_difference,
    paired_differences,
    variance_of_the_mean,
)


def sample(generator, chances_SP, k: int = 8) -> np.ndarray:
    return generator.random((*chances_SP.shape, k)) < chances_SP[..., None]


def ranked(runs: dict[str, np.ndarray], generator: np.random.Generator) -> AllPairs:
    return compare_all_pairs({arm: accuracies(one) for arm, one in runs.items()}, generator)


@pytest.mark.parametrize("problems", [30, 128])
def test_the_interval_over_problems_covers_the_true_mean_95_times_in_100(problems: int) -> None:
    generator = np.random.default_rng(problems)
    covered = 0
    for _ in range(500):
        chances = generator.beta(0.5, 1.0, size=(1, problems))
        interval = accuracy_interval(sample(generator, chances))
        covered += interval.low <= 1 / 3 <= interval.high
    assert 0.93 <= covered / 500 <= 0.97


def test_the_interval_over_three_seeds_covers_a_mean_that_seeds_move() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(4000):
        seeds = generator.normal(0, 0.05, size=(3, 1))
        chances = 0.2 + 0.6 * generator.random((1, 64)) + seeds
        interval = accuracy_interval(sample(generator, chances))
        covered += interval.low <= 0.5 <= interval.high
    assert 0.93 <= covered / 4000 <= 0.97


def test_with_one_seed_the_interval_names_problems_and_samples_only() -> None:
    correct = np.random.default_rng(0).random((2, 20, 4)) < 0.5
    assert accuracy_interval(correct[:1]).over == ("problems", "samples")
    assert accuracy_interval(correct).over == ("seeds", "problems", "samples")


@pytest.mark.parametrize("problems", [8, 40])
def test_on_symmetric_values_the_interval_and_p_are_those_of_the_t_test(problems: int) -> None:
    values = 0.3 + stats.norm.ppf((np.arange(problems) + 0.5) / problems)
    peer = stats.ttest_1samp(values, 0)
    expected = peer.confidence_interval(0.95)
    generators = map(np.random.default_rng, range(20))
    ours = [bootstrap_mean(values[None], generator) for generator in generators]
    width = np.mean([interval.high - interval.low for interval in ours])
    assert width == pytest.approx(expected.high - expected.low, rel=0.03)
    assert np.mean([interval.p for interval in ours]) == pytest.approx(peer.pvalue, rel=0.03)


def test_two_seeds_alone_give_the_wide_interval_of_one_degree_of_freedom() -> None:
    values = 0.5 + np.array([[-0.02], [0.02]]) + np.zeros((2, 64))
    interval = bootstrap_mean(values, np.random.default_rng(0))
    assert interval.high - interval.low == pytest.approx(2 * 12.7 * 0.02, rel=0.3)


def test_accuracies_stay_within_their_range() -> None:
    correct = np.zeros((2, 10, 4), bool)
    correct[0] = True
    interval = accuracy_interval(correct)
    assert 0.0 <= interval.low < 1e-6
    assert 1 - 1e-6 < interval.high <= 1.0


def test_the_noise_that_other_methods_tell_narrows_what_two_seeds_alone_cannot_tell() -> None:
    values = 0.5 + np.array([[-0.02], [0.02]]) + np.zeros((2, 64))
    own = bootstrap_mean(values, np.random.default_rng(0))
    told = SeedNoise(np.array([8e-4]), np.array([24.0]))
    assert own.p > 0.01 > bootstrap_mean(values, np.random.default_rng(0), told).p


def test_p_and_interval_give_the_same_verdict() -> None:
    generator = np.random.default_rng(2)
    verdicts = set()
    for shift in np.linspace(-0.2, 0.2, 40):
        a, b = np.full((2, 30), 0.5 + shift), np.full((2, 30), 0.5)
        result = paired_difference(sample(generator, a), sample(generator, b), generator)
        excludes_zero = not result.low <= 0 <= result.high
        assert (result.p < 0.05) == excludes_zero
        verdicts.add(excludes_zero)
    assert verdicts == {True, False}


def test_pairing_removes_the_difficulty_of_the_problems() -> None:
    generator = np.random.default_rng(3)
    chances = generator.beta(0.3, 0.3, size=(1, 128))
    a, b = sample(generator, chances), sample(generator, chances)
    single, paired = accuracy_interval(a), paired_difference(a, b, generator)
    assert paired.high - paired.low < 0.5 * (single.high - single.low)


def test_the_same_generator_gives_the_same_interval() -> None:
    correct = np.random.default_rng(0).random((1, 20, 4)) < 0.5
    first, second = (accuracy_interval(correct) for _ in range(2))
    assert first == second


def test_values_without_variance_have_an_interval_of_no_width() -> None:
    same = bootstrap_mean(np.zeros((1, 5)), np.random.default_rng(0))
    assert (same.mean, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("bad", [[[0.1, np.nan]], [[0.1]], [0.1, 0.2], np.zeros((0, 4))])
def test_missing_values_and_wrong_shapes_are_refused(bad) -> None:
    with pytest.raises(ValueError, match=r"finite|expected"):
        bootstrap_mean(np.array(bad), np.random.default_rng(0))


def test_many_means_at_once_have_the_intervals_they_have_alone() -> None:
    values = np.random.default_rng(0).random((4, 3, 20))
    together = bootstrap_means(values, np.random.default_rng(1))
    for quantity, interval in zip(values, together, strict=True):
        alone = bootstrap_mean(quantity, np.random.default_rng(1))
        got = (interval.mean, interval.low, interval.high, interval.p)
        assert got == pytest.approx((alone.mean, alone.low, alone.high, alone.p))
        assert interval.over == alone.over


def test_equal_arms_keep_the_seeds_noise_that_other_arms_show() -> None:
    interval = bootstrap_mean(
        np.zeros((3, 30)), np.random.default_rng(0), SeedNoise(np.array([3e-4]), np.array([10.0]))
    )
    assert interval.high == pytest.approx(stats.t.ppf(0.975, 10) * 0.01, rel=0.01)
    assert (interval.mean, interval.p) == (0.0, 1.0)


def test_two_methods_that_collapsed_alike_are_ranked_as_ties() -> None:
    runs = {"a": np.zeros((3, 30, 4), bool), "b": np.zeros((3, 30, 4), bool)}
    chances = 0.5 + np.array([-0.1, 0.0, 0.1])[:, None] + np.zeros((3, 30))
    runs["best"] = sample(np.random.default_rng(0), chances)
    found = ranked(runs, np.random.default_rng(0))
    assert found.arms[0] == "best"
    assert found.ranks()["a"] == found.ranks()["b"] and not found.is_better("a", "b")


def test_pairs_of_other_problems_are_refused() -> None:
    with pytest.raises(ValueError, match="same seeds and problems"):
        paired_difference(
            np.zeros((1, 4, 2), bool), np.zeros((1, 5, 2), bool), np.random.default_rng(0)
        )


def test_holm_agrees_with_an_example_by_hand() -> None:
    # sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never below an earlier one
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]


def test_two_seeds_that_happen_to_agree_make_no_difference_surer_than_their_t_test() -> None:
    generator = np.random.default_rng(1)
    chances_P = generator.beta(0.5, 1.0, size=256)
    a_SP = np.stack([chances_P + 0.02, chances_P + 0.0194])
    noise = noise_of_differences(
        np.stack([a_SP.mean(axis=1), np.full(2, chances_P.mean())]), np.array([0]), np.array([1])
    )
    interval = bootstrap_mean(a_SP - chances_P, generator, noise)
    t_test = stats.ttest_1samp((a_SP - chances_P).mean(axis=1), 0.0)
    assert interval.p >= t_test.pvalue * 0.999 > 0.005
    assert interval.low <= t_test.confidence_interval().low + 1e-12


@pytest.mark.parametrize("value", [0.7, 0.1, 0.5])
def test_values_that_are_all_equal_have_an_interval_as_wide_on_both_sides(value: float) -> None:
    noise = SeedNoise(np.array([1e-4]), np.array([6.0]))
    generator = np.random.default_rng(0)
    interval = bootstrap_mean(np.full((3, 256), value), generator, noise)
    below, above = interval.mean - interval.low, interval.high - interval.mean
    assert below == pytest.approx(above) and above > 0.01


def test_equal_methods_are_ranked_as_ties() -> None:
    generator = np.random.default_rng(4)
    told_apart = 0
    for _ in range(60):
        chances = np.repeat(generator.random((1, 64)), 3, axis=0)
        seeds = generator.normal(0, 0.02, size=(6, 3, 1))
        runs = {f"m{i}": sample(generator, chances + noise) for i, noise in enumerate(seeds)}
        told_apart += any(best > 1 for best, _ in ranked(runs, generator).ranks().values())
    assert told_apart / 60 <= 0.1


@pytest.mark.parametrize("seeds", [1, 3])
def test_thirteen_methods_are_ranked_with_ties_in_under_two_seconds(seeds: int) -> None:
    generator = np.random.default_rng(5)
    chances = generator.uniform(0.3, 0.5, size=(seeds, 128))
    runs = {f"m{i}": sample(generator, chances + 0.03 * (i // 4)) for i in range(13)}
    runs["best"] = sample(generator, chances + 0.4)
    del runs["m12"]
    start = perf_counter()
    found = ranked(runs, generator)
    ranks = found.ranks()
    assert perf_counter() - start < 2
    assert found.arms[0] == "best"
    assert [arm for arm, (best, _) in ranks.items() if best == 1] == ["best"]
    assert [best for best, _ in ranks.values()] == sorted(best for best, _ in ranks.values())
    assert ranks[found.arms[1]][0] == 2 and found.is_better("best", found.arms[1])
    assert not found.is_better(*found.arms[1:3])


def test_many_methods_tell_apart_what_the_three_seeds_of_one_pair_cannot() -> None:
    generator = np.random.default_rng(8)
    chances = np.repeat(generator.uniform(0.3, 0.5, size=(1, 128)), 3, axis=0)
    noise = generator.normal(0, 0.03, size=(13, 3, 1))
    runs = {f"m{i}": sample(generator, chances + noise[i]) for i in range(13)}
    runs["best"] = sample(generator, chances + 0.3 + generator.normal(0, 0.03, size=(3, 1)))
    ranks = ranked(runs, generator).ranks()
    assert ranks.pop("best") == (1, 1) and min(best for best, _ in ranks.values()) == 2


def test_an_interval_over_128_problems_takes_under_50_milliseconds() -> None:
    generator = np.random.default_rng(6)
    correct = sample(generator, np.full((1, 128), 0.5))
    accuracy_interval(correct)
    start = perf_counter()
    accuracy_interval(correct)
    assert perf_counter() - start < 0.05


def test_a_single_pair_has_the_interval_of_its_own_noise() -> None:
    generator = np.random.default_rng(0)
    pair = [sample(generator, generator.random((3, 30))) for _ in range(2)]
    (alone,) = paired_differences([(pair[0], pair[1])], np.random.default_rng(1))
    expected = paired_difference(pair[0], pair[1], np.random.default_rng(1))
    assert alone.low == pytest.approx(expected.low)
    assert alone.high == pytest.approx(expected.high)
    assert alone.p == pytest.approx(expected.p)


def test_pairs_of_three_seeds_share_their_noise_and_keep_their_error_rate() -> None:
    generator, covered, narrower = np.random.default_rng(0), 0, 0
    studies, count = 100, 10
    for _ in range(studies):
        chances_P = generator.uniform(0.2, 0.8, 30)
        seeds = generator.normal(0, 0.03, size=(2, count, 3, 1))
        fair, other = (
            [sample(generator, np.clip(chances_P + shift, 0, 1)) for shift in side]
            for side in seeds
        )
        pairs = list(zip(other, fair, strict=True))
        found = paired_differences(pairs, generator)
        covered += sum(interval.low <= 0 <= interval.high for interval in found)
        own = paired_difference(*pairs[0], generator)
        narrower += found[0].high - found[0].low < own.high - own.low
    # Of variances that agree the larger half stays as it is, so intervals are a little too wide.
    assert 0.95 <= covered / studies / count <= 0.98
    assert narrower > 0.7 * studies


def test_many_pairs_of_different_problems_are_refused() -> None:
    generator = np.random.default_rng(0)
    one, two = (sample(generator, generator.random((3, problems))) for problems in (30, 31))
    with pytest.raises(ValueError, match="same seeds and problems"):
        paired_differences([(one, one), (two, two)], generator)


def test_pairs_of_many_methods_are_compared_as_each_pair_is_alone() -> None:
    generator = np.random.default_rng(9)
    chances = generator.uniform(0.3, 0.6, size=(6, 1, 40)).repeat(3, axis=1)
    values = {f"m{m}": sample(generator, chance).mean(axis=2) for m, chance in enumerate(chances)}
    together = compare_all_pairs(values, np.random.default_rng(1))
    means_MS = np.stack([values[arm].mean(axis=1) for arm in together.arms])
    noise = noise_of_differences(means_MS, *np.triu_indices(6, k=1))
    assert noise is not None
    for place, (a, b) in enumerate(combinations(together.arms, 2)):
        of_one = SeedNoise(noise.variance_B[[place]], noise.degrees_B[[place]])
        alone = bootstrap_mean(values[a] - values[b], np.random.default_rng(1), of_one)
        found, turned = together.pair(a, b), together.pair(b, a)
        assert found is not None and turned is not None
        bounds = (found.difference, found.low, found.high, found.p)
        assert bounds == pytest.approx((alone.mean, alone.low, alone.high, alone.p), rel=1e-6)
        assert (turned.difference, turned.low) == (-found.difference, -found.high)


def test_among_more_than_a_hundred_methods_pairs_have_the_t_tests_p() -> None:
    values_MSP = np.random.default_rng(10).normal(size=(101, 1, 30))
    values = {str(m): values_SP for m, values_SP in enumerate(values_MSP)}
    found = compare_all_pairs(values, np.random.default_rng(0)).pair("0", "100")
    peer = stats.ttest_rel(values_MSP[0, 0], values_MSP[100, 0])
    assert found is not None and found.p == pytest.approx(peer.pvalue)


def test_a_thousand_methods_are_ranked_in_seconds() -> None:
    generator = np.random.default_rng(11)
    chances = generator.uniform(0.3, 0.5, size=(3, 64))
    runs = {f"m{i}": sample(generator, chances + 0.0004 * i, k=4) for i in range(1000)}
    start = perf_counter()
    found = ranked(runs, generator)
    ranks = found.ranks()
    assert perf_counter() - start < 10
    assert ranks[found.arms[0]][0] == 1 and ranks[found.arms[-1]][0] > 100


def test_equal_states_of_a_generator_draw_alike_and_leave_it_where_its_draws_do() -> None:
    values = np.random.default_rng(1).random((3, 20))
    generator, other, peer = (np.random.default_rng(0) for _ in range(3))
    first, second = (bootstrap_mean(values, generator) for _ in range(2))
    assert [bootstrap_mean(values, other) for _ in range(2)] == [first, second]
    assert first != second
    for _ in range(2):
        peer.integers(20, size=(2000, 20))
        peer.normal(size=(3, 2000))
    assert generator.bit_generator.state == peer.bit_generator.state


def test_degrees_of_freedom_are_never_fewer_than_those_of_seeds_or_problems() -> None:
    # Seeds and problems cancel: the two-way variance is near 0 beside its parts.
    generator = np.random.default_rng(0)
    for seeds, problems in ((3, 30), (5, 4), (2, 6)):
        values_BSP = generator.normal(size=(500, seeds, problems))
        _, degrees_B = variance_of_the_mean(values_BSP)
        assert degrees_B.min() >= min(seeds, problems) - 1


@pytest.mark.parametrize(("accuracy", "problems"), [(0.05, 30), (0.1, 40), (0.9, 30), (0.95, 256)])
@pytest.mark.parametrize(("seeds", "samples"), [(3, 8), (10, 32)])
def test_low_and_high_accuracies_are_covered_93_to_97_times_in_100(
    accuracy: float, problems: int, seeds: int, samples: int
) -> None:
    generator = np.random.default_rng([round(100 * accuracy), problems, seeds, samples])
    model = StudyModel(Difficulty(accuracy), seed_sd=min(0.01, accuracy * (1 - accuracy) / 8))
    drawn = model.draw(1000, seeds, problems, samples, generator)
    found = accuracy_intervals(drawn.a_BSP)
    covered = np.mean([one.low <= accuracy <= one.high for one in found])
    # Two standard errors of so many studies are 1.4 in 100.
    assert 0.93 - 0.014 <= covered <= 0.97 + 0.014


def test_an_accuracy_of_nothing_or_everything_right_has_an_interval_of_some_width() -> None:
    none, everything = (
        accuracy_interval(np.zeros((3, 30, 4), bool)),
        accuracy_interval(np.ones((3, 30, 4), bool)),
    )
    assert none.low == 0 < none.high < 0.25
    assert everything.high == 1 > everything.low > 0.75
