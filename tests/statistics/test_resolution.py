"""A finished study says which differences it could not have seen."""

from __future__ import annotations

import numpy as np
import pytest

from verirank.statistics import AllPairs, Difficulty, StudyModel, compare_all_pairs, mean_tests


def pairs(*, arms: int = 3, seeds: int = 3, k: int = 8) -> AllPairs:
    generator = np.random.default_rng(0)
    values_MSP = generator.binomial(k, 0.5, size=(arms, seeds, 100)) / k
    return compare_all_pairs({str(m): one for m, one in enumerate(values_MSP)}, generator)


def test_more_samples_see_smaller_differences() -> None:
    few, many = (pairs(k=k, seeds=1).detectable("0", "1") for k in (4, 64))
    assert many < few / 2


def test_a_correction_over_many_pairs_sees_less_though_more_arms_tell_the_noise() -> None:
    two, thirteen = (pairs(arms=arms, seeds=1).detectable("0", "1") for arms in (2, 13))
    assert thirteen > two


def test_more_seeds_than_these_would_see_smaller_differences() -> None:
    found = pairs()
    now, same, later = (found.detectable("0", "1", seeds) for seeds in (None, 3, 6))
    assert later < now == pytest.approx(same)


def test_a_true_difference_of_the_smallest_size_is_found_80_times_in_100() -> None:
    generator = np.random.default_rng(1)
    null = StudyModel(Difficulty(0.5, 4.0), seed_sd=0.0).draw(50, 1, 100, 8, generator)
    of_null = [mean_tests(one[None], generator) for one in null.a_BSP - null.b_BSP]
    size = float(np.mean([found.detectable(0) for found in of_null]))
    model = StudyModel(Difficulty(0.5, 4.0), seed_sd=0.0, difference=size)
    drawn = model.draw(1000, 1, 100, 8, generator)
    found = mean_tests(drawn.a_BSP - drawn.b_BSP, generator).p_N <= 0.05
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)
