"""Every function that takes scores refuses values that are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from verirank import statistics as st

RANDOM = np.random.default_rng(0)
FLOATS: dict[str, tuple[int, Callable[[Any], object]]] = {
    "accuracy_intervals": (3, st.accuracy_intervals),
    "bootstrap_mean": (2, lambda a: st.bootstrap_mean(a, RANDOM)),
    "bootstrap_means": (3, lambda a: st.bootstrap_means(a, RANDOM)),
    "by_group": (2, lambda a: st.by_group(a, "aabb")),
    "by_groups": (2, lambda a: st.by_groups(a, None)),
    "collapsed_seeds": (1, lambda a: st.collapsed_seeds([a])),
    "compare_all_pairs": (2, lambda a: st.compare_all_pairs({"a": a}, RANDOM)),
    "decide": (2, lambda a: st.decide({"a": a}, st.RaceDesign())),
    "holm": (1, st.holm),
    "macro_accuracies": (2, lambda a: st.macro_accuracies([a])),
    "mean_tests": (3, lambda a: st.mean_tests(a, RANDOM)),
    "noise_of_arms": (1, lambda a: st.noise_of_arms([a])),
    "noise_of_differences": (2, lambda a: st.noise_of_differences(a, np.array([0]), np.array([1]))),
    "own_noise": (3, st.own_noise),
    "paired_difference": (3, lambda a: st.paired_difference(a, np.ones((4, 4, 4)), RANDOM)),
    "paired_differences": (3, lambda a: st.paired_differences([(a, a)], RANDOM)),
    "posterior": (1, lambda a: st.posterior(a, np.ones(4), 0.1)),
    "posterior, variances": (1, lambda a: st.posterior(np.ones(4), a, 0.1)),
    "probability_of_improvement": (2, lambda a: st.probability_of_improvement(a, a)),
    "surely_worse": (3, st.surely_worse),
}
BOOLEANS: dict[str, tuple[int, Callable[[Any], object]]] = {
    "accuracy_interval": (3, st.accuracy_interval),
    "accuracies": (3, st.accuracies),
    "avg_at_k": (2, st.avg_at_k),
    "judge_runs": (3, lambda a: st.judge_runs(st.Claim("above", 0.0), a, a, RANDOM)),
    "macro_average": (3, lambda a: st.macro_average([a])),
    "maj_at_k": (2, lambda a: st.maj_at_k([[1] * 4] * 4, a)),
    "pass_at_k": (2, lambda a: st.pass_at_k(a, 1)),
}


@pytest.mark.parametrize("name", FLOATS)
def test_values_that_are_missing_or_masked_are_refused(name: str) -> None:
    axes, function = FLOATS[name]
    good = np.linspace(0.1, 0.9, 4**axes).reshape((4,) * axes)
    missing = good.copy()
    missing.flat[1] = np.nan
    for bad in (missing, np.ma.masked_array(good, mask=np.isclose(good, good.flat[1]))):
        with pytest.raises(ValueError, match=r"not finite|masked"):
            function(bad)


@pytest.mark.parametrize("name", BOOLEANS)
def test_samples_that_are_neither_right_nor_wrong_are_refused(name: str) -> None:
    axes, function = BOOLEANS[name]
    good = np.ones((4,) * axes, dtype=bool)
    missing = good.astype(float)
    missing.flat[1] = np.nan
    for bad in (missing, np.ma.masked_array(good, mask=~good)):
        with pytest.raises(ValueError, match=r"not finite|masked|boolean"):
            function(bad)


NAN = float("nan")
ASSUMED = st.Assumptions(st.Difficulty(0.5))
NOISE, DESIGN = st.Noise(1e-4, 0.0, 0.0, 0.1), st.Design(30, 3, 8)
NUMBERS: dict[str, Callable[[], object]] = {
    "search variance NaN": lambda: st.SearchNoise({"a": NAN}, 4),
    "search variance below 0": lambda: st.SearchNoise({"a": -1e-4}, 4),
    "search degrees 0": lambda: st.SearchNoise({"a": 1e-4}, 0),
    "search estimate NaN": lambda: st.SearchNoise.pooled({"a": NAN, "b": 1e-4}, 4),
    "seed variance NaN": lambda: st.SeedNoise(np.array([NAN]), np.array([2.0])),
    "seed degrees 0": lambda: st.SeedNoise(np.array([1.0]), np.array([0.0])),
    "posterior margin NaN": lambda: st.posterior([0.1, 0.2], [1e-4, 1e-4], NAN),
    "posterior margin below 0": lambda: st.posterior([0.1, 0.2], [1e-4, 1e-4], -1),
    "detectable variance NaN": lambda: st.detectable(NAN, 5),
    "detectable variance below 0": lambda: st.detectable(-1, 5),
    "detectable degrees 0": lambda: st.detectable(1, 0),
    "detectable level 2": lambda: st.detectable(1, 5, alpha=2),
    "detectable power 1": lambda: st.detectable(1, 5, power=1),
    "p-values outside [0, 1]": lambda: st.holm([-0.1, 2]),
    "claim NaN": lambda: st.Claim("above", NAN),
    "claim infinite": lambda: st.Claim("below", float("inf")),
    "claim of no kind": lambda: st.Claim("over", 0.1),  # type: ignore[arg-type]
    "error NaN": lambda: st.surely_worse(np.ones((2, 2, 2)), error=NAN),
    "error 0": lambda: st.surely_worse(np.ones((2, 2, 2)), error=0),
    "accuracy above 1": lambda: st.accuracy_intervals(np.full((1, 2, 3), 38.7)),
    "accuracy below 0": lambda: st.accuracy_intervals(np.full((1, 2, 3), -0.1)),
    "groups of other problems": lambda: st.by_groups(np.ones((2, 5)), ["a", "a"]),
    "scores of other finalists": lambda: st.FinalScores((1e-4,), (0,), [[1.0]]),  # type: ignore[arg-type]
    "one arm": lambda: st.Assumptions(st.Difficulty(0.5), arms=1),
    "seed SD NaN": lambda: st.Assumptions(st.Difficulty(0.5), seed_sd=NAN),
    "effect SD below 0": lambda: st.Assumptions(st.Difficulty(0.5), effect_sd=-1),
    "noise NaN": lambda: st.Noise(NAN, 0, 0, 0),
    "a design of one problem": lambda: st.Design(1, 3, 8),
    "a design without samples": lambda: st.Design(30, 3, NAN),
    "power of a difference NaN": lambda: NOISE.power(DESIGN, NAN),
    "needed power 1": lambda: st.needed(NOISE, DESIGN, 0.1, power=1),
    "needed difference NaN": lambda: st.needed(NOISE, DESIGN, NAN),
    "prospect of NaN": lambda: st.prospect(ASSUMED, DESIGN, NAN),
    "spread NaN": lambda: st.expected_runs(2, st.RaceDesign(), NAN, 0.01),
    "race margin NaN": lambda: st.RaceDesign(margin=NAN),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_mean_nothing_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        NUMBERS[name]()


def test_final_scores_may_be_lists() -> None:
    scores = [[[0.1, 0.2]], [[0.3, 0.4]]]
    assert st.FinalScores((1e-4, 1e-3), (0, 1), scores).best == 1e-3  # type: ignore[arg-type]


def test_a_race_on_one_problem_leaves_every_arm_open() -> None:
    scores = {arm: np.full((12, 1), mean) for arm, mean in (("a", 0.1), ("b", 0.5), ("c", 0.9))}
    found = st.decide(scores, st.RaceDesign())
    assert (found.leader, found.behind, found.equal) == ("c", {}, {})
    assert set(found.open) == {"a", "b"}
