"""A finished study says which differences it could not have seen."""

from __future__ import annotations

import numpy as np
import pytest

from verirank.statistics import (
    Difficulty,
    SeedNoise,
    StudyModel,
    bootstrap_means,
    detectable_differences,
)


def differences(*, pairs: int = 3, seeds: int = 3, k: int = 8) -> np.ndarray:
    generator = np.random.default_rng(0)
    arms = generator.binomial(k, 0.5, size=(2, pairs, seeds, 100)) / k
    return arms[0] - arms[1]


def test_more_samples_see_smaller_differences() -> None:
    few, many = (detectable_differences(differences(k=k, seeds=1))[0] for k in (4, 64))
    assert many < few / 2


def test_a_correction_over_many_comparisons_sees_less() -> None:
    alone, corrected = (detectable_differences(differences(), tests=tests) for tests in (1, 3))
    assert (corrected > alone).all()


def test_seeds_noise_that_many_methods_tell_sees_smaller_differences() -> None:
    values_BSP = differences()
    own_B = values_BSP.mean(axis=2).var(axis=1, ddof=1)
    told = SeedNoise(own_B, np.full(3, 24.0))
    assert (detectable_differences(values_BSP, told) < detectable_differences(values_BSP)).all()


def test_a_true_difference_of_the_smallest_size_is_found_80_times_in_100() -> None:
    generator = np.random.default_rng(1)
    null = StudyModel(Difficulty(0.5, 4.0), seed_sd=0.0).draw(200, 1, 100, 8, generator)
    size = float(detectable_differences(null.a_BSP - null.b_BSP).mean())
    model = StudyModel(Difficulty(0.5, 4.0), seed_sd=0.0, difference=size)
    drawn = model.draw(1000, 1, 100, 8, generator)
    found = [i.p <= 0.05 for i in bootstrap_means(drawn.a_BSP - drawn.b_BSP, generator)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_arms_without_any_variance_differ_by_what_they_show() -> None:
    assert detectable_differences(np.ones((1, 1, 10))).tolist() == [0.0]
