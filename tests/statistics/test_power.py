"""Power, smallest differences and what a study needs, against measured noise and simulation."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verirank.statistics import (
    Assumptions,
    Design,
    Difficulty,
    Noise,
    StudyModel,
    bootstrap_means,
    compare_all_pairs,
    detectable,
    needed,
)

AIME_LIKE = Difficulty(0.3)


def test_sampling_noise_is_what_was_measured_between_equal_models_on_30_problems() -> None:
    only_samples = replace(Assumptions(AIME_LIKE).noise(0.0), seed=0.0, crossed=0.0)
    points = [100 * only_samples.variance(Design(30, 1, k)) ** 0.5 for k in (1, 8, 16, 32, 64)]
    assert [round(p, 1) for p in points] == [8.8, 3.1, 2.2, 1.5, 1.1]


def test_sampling_noise_on_500_problems_is_below_a_point_at_4_samples() -> None:
    noise = Assumptions(Difficulty(0.83)).noise(0.0)
    assert 0.7 < 100 * noise.variance(Design(500, 1, 4)) ** 0.5 < 1


@given(mean=st.floats(0.05, 0.95), concentration=st.floats(0.3, 20))
def test_the_moments_of_a_difficulty_are_those_of_its_beta_distribution(
    mean: float, concentration: float
) -> None:
    difficulty = Difficulty(mean, concentration)
    beta = stats.beta(*difficulty.shapes)
    second, third, fourth = (beta.moment(order) for order in (2, 3, 4))
    assert difficulty.spread == pytest.approx(beta.std())
    assert difficulty.sample_variance == pytest.approx(mean - second)
    squared = second - 2 * third + fourth
    assert difficulty.leverage_variance + 1 == pytest.approx(squared / (mean - second) ** 2)


@pytest.mark.parametrize(("mean", "concentration"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.0)])
def test_no_distribution_is_refused(mean: float, concentration: float) -> None:
    with pytest.raises(ValueError, match="a difficulty needs"):
        Difficulty(mean, concentration)


@pytest.mark.parametrize("problems", [8, 30, 500])
def test_with_one_seed_the_power_is_that_of_the_one_sample_t_test(problems: int) -> None:
    noise, difference = Noise(seed=0.0, problem=0.04, crossed=0.0, sample=0.0), 0.05
    shift = difference / (0.04 / problems) ** 0.5
    critical = stats.t.ppf(0.975, problems - 1)
    expected = stats.nct.sf(critical, problems - 1, shift)
    expected += stats.nct.cdf(-critical, problems - 1, shift)
    assert noise.power(Design(problems, 1, 8), difference) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("seeds", "problems", "samples", "difference"),
    [
        (1, 30, 32, 0.03),
        (5, 30, 32, 0.04),
        (10, 30, 8, 0.03),
        (5, 500, 4, 0.02),
        (10, 500, 4, 0.02),
    ],
)
def test_the_power_is_what_simulated_studies_show(
    seeds: int, problems: int, samples: int, difference: float
) -> None:
    assumed = Assumptions(AIME_LIKE, seed_sd=0.01)
    said = assumed.noise(difference).power(Design(problems, seeds, samples), difference)
    model = StudyModel(AIME_LIKE, 0.0 if seeds == 1 else assumed.seed_sd, difference)
    generator = np.random.default_rng(seeds)
    drawn = [model.draw(50, seeds, problems, samples, generator) for _ in range(16)]
    pairs = [bootstrap_means(study.a_BSP - study.b_BSP, generator) for study in drawn]
    found = np.mean([interval.p <= 0.05 for intervals in pairs for interval in intervals])
    assert said == pytest.approx(found, abs=0.06)


def test_the_power_at_no_difference_is_the_level_of_the_test() -> None:
    noise = Assumptions(AIME_LIKE).noise(0.0)
    assert noise.power(Design(30, 3, 8), 0.0, alpha=0.01) == pytest.approx(0.01, rel=0.01)


@given(
    seeds=st.integers(1, 20),
    samples=st.sampled_from([1, 8, 64, inf]),
    comparisons=st.sampled_from([1, 12, 78]),
)
def test_the_smallest_difference_is_the_one_with_80_percent_power(
    seeds: int, samples: float, comparisons: int
) -> None:
    noise, design = Assumptions(AIME_LIKE).noise(0.02), Design(500, seeds, samples)
    alpha = 0.05 / comparisons
    smallest = detectable(noise.variance(design), noise.degrees(design), alpha)
    assert noise.power(design, smallest, alpha) == pytest.approx(0.8)


def test_samples_never_remove_the_noise_of_seeds_and_of_problems() -> None:
    noise = Assumptions(AIME_LIKE, seed_sd=0.01, effect_sd=0.05).noise(0.02)
    limit = noise.variance(Design(30, 3, inf))
    assert limit == pytest.approx(noise.seed / 3 + noise.problem / 30 + noise.crossed / 90)
    assert noise.variance(Design(30, 3, 10**6)) == pytest.approx(limit, rel=1e-3)


def test_what_no_number_of_samples_resolves_has_the_seeds_that_do() -> None:
    noise, design = Assumptions(AIME_LIKE).noise(0.02), Design(30, 3, 32)
    found = needed(noise, design, 0.02)
    assert found.samples is None and found.seeds is not None
    assert noise.power(replace(design, seeds=found.seeds), 0.02) >= 0.8
    assert noise.power(replace(design, seeds=found.seeds - 1), 0.02) < 0.8


def test_the_samples_that_are_needed_are_the_fewest_that_do() -> None:
    noise, design = Assumptions(AIME_LIKE).noise(0.02), Design(30, 10, 32)
    samples = needed(noise, design, 0.02).samples
    assert samples is not None
    assert noise.power(replace(design, samples=samples), 0.02) >= 0.8
    assert noise.power(replace(design, samples=samples - 1), 0.02) < 0.8


def test_what_neither_samples_nor_seeds_resolve_needs_more_problems() -> None:
    noise = Assumptions(AIME_LIKE, seed_sd=0.001, effect_sd=0.08).noise(0.02)
    found = needed(noise, Design(30, 3, 32), 0.02)
    assert found.samples is None and found.seeds is None and found.problems is not None
    assert noise.power(Design(found.problems, 3, 32), 0.02) >= 0.8


def test_one_seed_promises_no_seeds() -> None:
    found = needed(Assumptions(AIME_LIKE).noise(0.02), Design(30, 1, 32), 0.02)
    assert found.seeds is None


def test_a_smallest_difference_has_the_noise_of_a_difference_of_its_own_size() -> None:
    assumed, design = Assumptions(AIME_LIKE), Design(30, 5, 32)
    smallest = assumed.detectable(design)
    assert assumed.noise(smallest).power(design, smallest) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("arms", "seeds", "difference"), [(2, 5, 0.02), (13, 3, 0.04), (13, 5, 0.03), (5, 10, 0.02)]
)
def test_the_power_among_many_arms_is_that_of_the_ranking(
    arms: int, seeds: int, difference: float
) -> None:
    """One arm is better than all others, which are equal; the ranking tells it from another."""
    difficulty, generator = Difficulty(0.5), np.random.default_rng([arms, seeds])
    assumed = Assumptions(difficulty, seed_sd=0.01, arms=arms)
    said = assumed.noise(difference).power(Design(256, seeds, 8), difference, assumed.alpha)
    studies, told = 50 if arms > 2 else 150, 0.0
    for _ in range(studies):
        chance_P = generator.beta(*difficulty.shapes, size=256)
        weight_P = chance_P * (1 - chance_P) / difficulty.sample_variance
        moves_MS1 = generator.normal(0, 0.01, (arms, seeds, 1))
        moves_MS1[0] += difference
        values_MSP = generator.binomial(8, (chance_P + moves_MS1 * weight_P).clip(0, 1)) / 8
        found = compare_all_pairs({str(m): v for m, v in enumerate(values_MSP)}, generator)
        told += (
            np.mean(
                [
                    found.is_better("0", str(m)) or found.is_better(str(m), "0")
                    for m in range(1, arms)
                ]
            )
            / studies
        )
    # Others are drawn with the better arm, so their errors are those of as many studies.
    assert said == pytest.approx(told, abs=0.16)
