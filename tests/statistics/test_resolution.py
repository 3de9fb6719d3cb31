"""A finished study says which differences it could not have seen."""

from __future__ import annotations

import numpy as np
import pytest

from verirank.statistics import Difficulty, StudyModel, bootstrap_means, resolutions


def arms(*chances: float, seeds: int = 3, k: int = 8) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {f"m{i}": generator.random((seeds, 100, k)) < c for i, c in enumerate(chances)}


def test_every_pair_has_its_difference_and_the_smallest_that_could_be_seen() -> None:
    found = resolutions(arms(0.5, 0.52, 0.9))
    assert [(r.a, r.b) for r in found] == [("m0", "m1"), ("m0", "m2"), ("m1", "m2")]
    assert [r.too_small_to_see for r in found] == [True, False, False]
    assert found[1].difference == pytest.approx(-0.4, abs=0.05)


def test_more_samples_see_smaller_differences() -> None:
    few, many = (resolutions(arms(0.5, 0.5, 0.5, k=k))[0].detectable for k in (4, 64))
    assert many < few / 2


def test_a_correction_over_many_comparisons_sees_less() -> None:
    runs = arms(0.5, 0.52, 0.9)
    alone, corrected = resolutions(runs)[0], resolutions(runs, comparisons=3)[0]
    assert corrected.detectable > alone.detectable


def test_a_true_difference_of_the_smallest_size_is_found_80_times_in_100() -> None:
    generator = np.random.default_rng(1)
    null = StudyModel(Difficulty(0.5, 4.0), seed_sd=0.0).draw(200, 1, 100, 8, generator)
    smallest = []
    for a_SP, b_SP in zip(null.a_BSP, null.b_BSP, strict=True):
        pair = {
            n: np.arange(8) < np.round(8 * s)[..., None]
            for n, s in zip("ab", (a_SP[0:1], b_SP[0:1]), strict=True)
        }
        smallest.append(resolutions(pair)[0].detectable)
    size = float(np.mean(smallest))
    model = StudyModel(Difficulty(0.5, 4.0), seed_sd=0.0, difference=size)
    drawn = model.draw(1000, 1, 100, 8, generator)
    found = [i.p <= 0.05 for i in bootstrap_means(drawn.a_BSP - drawn.b_BSP, generator)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_arms_without_any_variance_differ_by_what_they_show() -> None:
    never, always = np.zeros((1, 10, 4), bool), np.ones((1, 10, 4), bool)
    (found,) = resolutions({"a": always, "b": never})
    assert (found.difference, found.detectable) == (1.0, 0.0)


def test_arms_on_other_problems_are_refused() -> None:
    with pytest.raises(ValueError, match="same seeds and problems"):
        resolutions({"a": np.zeros((1, 4, 2), bool), "b": np.zeros((1, 5, 2), bool)})
