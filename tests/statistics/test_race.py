"""A race trains seeds only where the question is open, and says nothing that is wrong too often."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from verirank.statistics import RaceDesign, SearchNoise, decide, noise_of_differences
from verirank.statistics.races import joint_levels, noise_of_unequal_arms

SCRIPT = Path(__file__).parents[2] / "docs" / "results" / "race.py"
PROBLEMS = 16
QUIET = 0.002
"""SD of a seed in races whose end should be clear."""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("race_table", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their annotations up there
    spec.loader.exec_module(module)
    return module


def quiet(*means: float, seeds: int = 12) -> np.ndarray:
    """Return values of arms with these means and hardly any noise, M x S x P."""
    noise = np.random.default_rng(0).normal(0, QUIET, (len(means), seeds, 1))
    return np.array(means)[:, None, None] + noise + np.zeros(PROBLEMS)


@pytest.mark.thorough
@pytest.mark.parametrize("noisy", [0, 6])
def test_equal_arms_are_told_apart_at_most_5_times_in_100(script: ModuleType, noisy: int) -> None:
    costs = script.simulate(script.Scene(0.0, noisy), RaceDesign(), 100, fixed=False)
    # Two standard errors of 100 races at 5 % are 4.4 in 100.
    assert costs.wrong <= 0.05 + 0.044


@pytest.mark.thorough
@pytest.mark.parametrize(("spread", "most_runs"), [(0.02, 0.65), (0.04, 0.45)])
def test_a_race_needs_few_of_the_fixed_designs_runs_and_keeps_its_differences(
    script: ModuleType, spread: float, most_runs: float
) -> None:
    costs = script.simulate(script.Scene(spread), RaceDesign(), 60)
    assert costs.wrong <= 0.05
    assert costs.runs <= most_runs + 0.02  # two standard errors of 60 studies
    assert costs.behind >= 0.95 * costs.behind_fixed


def test_a_race_of_clearly_different_arms_ends_at_its_first_look(script: ModuleType) -> None:
    decision, runs = script.race(quiet(0.9, 0.5, 0.1), RaceDesign())
    assert (decision.leader, decision.behind) == ("0", {"1": 3, "2": 3})
    assert runs == 9 and decision.going_on == () and decision.open == {}


def test_arms_that_are_the_same_within_a_wide_margin_stop_as_equal() -> None:
    values_MSP = quiet(0.5, 0.501, 0.5)
    decision = decide(dict(zip("abc", values_MSP, strict=True)), RaceDesign(margin=0.05))
    assert decision.going_on == () and decision.leader is not None
    assert set(decision.equal.values()) == {3} and len(decision.equal) == 2


def test_an_arm_is_no_longer_equal_if_another_one_takes_the_lead() -> None:
    design = RaceDesign(looks=(3, 5, 8), spent=(0.02, 0.02, 0.01), margin=0.05)
    # Differences of any two arms have a standard error of 0.0075 after three seeds.
    moves = 0.0075 * np.array([[1, -1, 0, 0, 0], [0, 1, -1, 0, 0], [-1, 0, 1, 0, 0]])
    means_MS = np.array([[0.60], [0.601], [0.58]]) + moves
    means_MS[2, 3:] += 0.1
    a, b, c = means_MS[:, :, None] + np.zeros(PROBLEMS)
    first = decide({"a": a[:3], "b": b[:3], "c": c[:3]}, design)
    assert (first.leader, first.equal, first.going_on) == ("b", {"a": 3}, ("b", "c"))
    second = decide({"a": a[:3], "b": b, "c": c}, design)
    assert second.leader == "c"
    assert second.equal == {} and second.open["a"] == 3


def test_equality_is_with_the_leader_of_the_last_look_only() -> None:
    generator = np.random.default_rng(5)
    for _ in range(40):
        values_MSP = 0.5 + generator.normal(0, 0.01, (6, 12, 1)) + np.zeros(PROBLEMS)
        decision = decide({str(m): v for m, v in enumerate(values_MSP)}, RaceDesign(margin=0.04))
        assert decision.leader not in decision.equal
        assert not set(decision.equal) & {*decision.behind, *decision.open}


def test_arms_that_no_look_could_tell_apart_get_no_more_seeds() -> None:
    values_MSP = 0.5 + np.random.default_rng(7).normal(0, 0.05, (3, 12, PROBLEMS))
    decision = decide({arm: values_MSP[m, :3] for m, arm in enumerate("abc")}, RaceDesign())
    assert decision.looks[0].idle and set(decision.looks[0].idle) <= set(decision.open)


def test_the_luck_of_searches_keeps_a_race_open_whatever_the_seeds() -> None:
    values_MSP = quiet(0.50, 0.53)
    scores = dict(zip("ab", values_MSP, strict=True))
    assert decide(scores, RaceDesign()).behind == {"a": 3}
    lucky = decide(scores, RaceDesign(), SearchNoise({"a": 0.02**2, "b": 0.02**2}, 26.0))
    assert lucky.behind == {} and "a" in lucky.open
    # No number of seeds would tell the two apart, so none is asked for.
    assert lucky.going_on == ()


def test_a_race_waits_for_the_seeds_of_its_next_look() -> None:
    values_MSP = quiet(0.5, 0.5)
    scores = {"a": values_MSP[0, :3], "b": values_MSP[1, :2]}
    decision = decide(scores, RaceDesign())
    assert (decision.seeds, decision.going_on, decision.leader) == (3, ("a", "b"), None)


def test_more_seeds_than_a_look_needs_do_not_change_what_it_says(script: ModuleType) -> None:
    values_MSP = 0.5 + np.random.default_rng(3).normal(0, 0.02, (5, 12, PROBLEMS))
    raced, _ = script.race(values_MSP, RaceDesign())
    assert decide({str(m): v for m, v in enumerate(values_MSP)}, RaceDesign()) == raced


def test_one_arm_alone_leads_after_the_first_look() -> None:
    decision = decide({"a": quiet(0.5)[0, :3]}, RaceDesign())
    assert (decision.leader, decision.going_on, decision.seeds) == ("a", (), 0)


def test_the_noise_of_arms_with_as_many_seeds_is_that_of_the_ranking() -> None:
    means_MS = np.random.default_rng(0).normal(size=(5, 4))
    first_N, second_N = np.triu_indices(5, k=1)
    ours = noise_of_unequal_arms(list(means_MS)).of_pairs(first_N, second_N)
    ranking = noise_of_differences(means_MS, first_N, second_N)
    assert ranking is not None
    np.testing.assert_allclose(ours.variance_B, ranking.variance_B)
    np.testing.assert_allclose(ours.degrees_B, ranking.degrees_B)


def test_levels_are_above_bonferronis_and_fall_with_the_number_of_arms() -> None:
    design = RaceDesign()
    levels_UL = joint_levels(5, design.looks, design.spent)
    pairs_U = np.array([u * (u - 1) for u in range(2, 6)])
    gain_UL = levels_UL[2:] * pairs_U[:, None] / np.array(design.spent)
    assert (gain_UL > 1.2).all() and (gain_UL < 2.0).all()
    assert (np.diff(levels_UL[2:], axis=0) < 0).all()


def test_a_design_without_rising_looks_or_error_is_refused() -> None:
    for bad in ({"looks": (5, 3)}, {"looks": (3, 5)}, {"margin": 0.0}, {"margin": 1.0}):
        with pytest.raises(ValueError, match="rising looks"):
            RaceDesign(**bad)
    with pytest.raises(ValueError, match="not finite"):
        decide({"a": np.full((3, 4), np.nan)}, RaceDesign())
