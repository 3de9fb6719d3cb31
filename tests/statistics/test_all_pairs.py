"""One family of tests of all pairs, whatever seeds arms have, and arms whose seeds collapse."""

from __future__ import annotations

import numpy as np
import pytest

from verirank.statistics import (
    MeanTests,
    collapsed_seeds,
    compare_all_pairs,
    noise_of_arms,
    own_variances,
    standing_order,
    without_contradictions,
)

ARMS, PROBLEMS = 8, 32


def arms_of(generator: np.random.Generator, seeds: int, collapse: float = 0.0) -> np.ndarray:
    """Return the values of equal arms, M x S x P: seeds of SD 2 points, some 20 points lower."""
    low_MS = generator.random((ARMS, seeds)) < collapse
    means_MS = 0.5 + generator.normal(0, 0.02, (ARMS, seeds)) - 0.2 * low_MS
    return means_MS[:, :, None] + generator.normal(0, 0.04, (ARMS, seeds, PROBLEMS))


def collapsed(values_MSP: np.ndarray) -> set[str]:
    found = collapsed_seeds(list(values_MSP.mean(axis=2)))
    return {str(m) for m, its in enumerate(found) if its.any()}


def test_rank_sets_hold_the_true_rank_and_equal_arms_share_them() -> None:
    generator = np.random.default_rng(0)
    values_MSP = arms_of(generator, 5)
    values_MSP[:3] += 0.3
    ranks = compare_all_pairs(dict(zip("abcdefgh", values_MSP, strict=True)), generator).ranks()
    assert {ranks[arm] for arm in "abc"} == {(1, 3)}
    assert {ranks[arm] for arm in "defgh"} == {(4, 8)}


def test_a_pair_is_compared_on_its_shared_seeds_and_one_of_one_seed_is_not() -> None:
    generator = np.random.default_rng(1)
    values_MSP = arms_of(generator, 4)
    seeds = {"a": [0, 1, 2, 3], "b": [3, 2, 1, 0], "c": [0, 1], "d": [3]}
    values = {
        "a": values_MSP[0],
        "b": values_MSP[1],
        "c": values_MSP[2, :2],
        "d": values_MSP[3, :1],
    }
    found = compare_all_pairs(values, generator, seeds)
    a_b, a_c = found.pair("a", "b"), found.pair("a", "c")
    assert a_b is not None and a_b.seeds == 4
    in_order = values_MSP[0] - values_MSP[1, ::-1]
    assert a_b.difference == pytest.approx(in_order.mean())
    assert a_c is not None and a_c.seeds == 2
    assert found.pair("a", "d") is None and found.ranks()["d"] == (1, 4)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_equal_arms_with_unequal_seeds_are_told_apart_5_times_in_100_at_most(seeds: int) -> None:
    generator, apart, studies = np.random.default_rng(seeds), 0, 150
    for _ in range(studies):
        drawn = arms_of(generator, seeds)
        kept = {str(m): range(seeds - (m % 2)) for m in range(ARMS)}
        values = {arm: drawn[int(arm), : len(its)] for arm, its in kept.items()}
        ranks = compare_all_pairs(values, generator, {a: list(k) for a, k in kept.items()}).ranks()
        apart += max(best for best, _ in ranks.values()) > 1
    # Two standard errors of so many studies are 3.6 in 100.
    assert apart / studies <= 0.05 + 0.036


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_arms_whose_seeds_collapse_by_chance_are_found_and_ranked_as_ties(seeds: int) -> None:
    generator, apart, studies = np.random.default_rng(seeds), 0, 100
    found = missed = 0
    for _ in range(studies):
        values_MSP = arms_of(generator, seeds, collapse=0.1)
        out = collapsed(values_MSP)
        low_M = np.ptp(values_MSP.mean(axis=2), axis=1) > 0.15
        found += sum(low_M[int(arm)] for arm in out)
        missed += sum(str(m) not in out for m in np.flatnonzero(low_M))
        values = {str(m): one for m, one in enumerate(values_MSP)}
        ranks = compare_all_pairs(values, generator, collapsed=out).ranks()
        apart += max(best for best, _ in ranks.values()) > 1
    assert missed / (found + missed) < 0.15
    assert apart / studies <= 0.05 + 0.044


def test_seeds_that_do_not_collapse_are_called_so_in_one_study_of_a_hundred() -> None:
    generator = np.random.default_rng(3)
    called = sum(bool(collapsed(arms_of(generator, 3))) for _ in range(600))
    assert called / 600 <= 0.02


def test_an_arm_that_collapsed_lends_the_others_no_noise() -> None:
    means = np.random.default_rng(4).normal(0.5, 0.01, (6, 5))
    means[0, 0] -= 0.3
    clean_M = np.arange(6) > 0
    without = noise_of_arms(means[1:])
    told = noise_of_arms(means, clean_M=clean_M)
    assert told.variance_B[1:] == pytest.approx(without.variance_B)
    assert (told.variance_B[0], told.degrees_B[0]) == (pytest.approx(means[0].var(ddof=1)), 4)


def test_two_arms_that_answer_alike_are_equal_only_as_far_as_the_problems_tell() -> None:
    few, many = ({arm: np.zeros((3, n)) for arm in "ab"} for n in (30, 400))
    assert not compare_all_pairs(few, np.random.default_rng(0)).equal(0.02)[0, 1]
    assert compare_all_pairs(many, np.random.default_rng(0)).equal(0.02)[0, 1]


def test_wrong_input_is_refused() -> None:
    generator, good = np.random.default_rng(0), np.zeros((2, 4))
    for bad in (np.full((2, 4), np.nan), np.ma.masked_array(good, mask=good > 1)):
        with pytest.raises(ValueError, match=r"not finite|masked"):
            compare_all_pairs({"a": good, "b": bad}, generator)
        with pytest.raises(ValueError, match=r"not finite|masked"):
            collapsed_seeds(list(bad))
    with pytest.raises(ValueError, match="same problems"):
        compare_all_pairs({"a": good, "b": np.zeros((2, 5))}, generator)
    with pytest.raises(ValueError, match="same seeds"):
        compare_all_pairs({"a": good, "b": np.zeros((3, 4))}, generator)
    with pytest.raises(ValueError, match="seed of every row"):
        compare_all_pairs({"a": good}, generator, {"a": [0, 0]})


def with_lucky_seeds() -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Return a, which has two lucky seeds more than b, and is 2 points worse on the others."""
    noise = np.random.default_rng(5).normal(0, 0.002, (3, 5, 64))
    seed_5 = np.array([0.0, 0.01, -0.01, 0.15, 0.15])[:, None]
    values = {
        "a": 0.32 + seed_5 + noise[0],
        "b": 0.34 + seed_5[:3] + noise[1, :3],
        "c": 0.20 + seed_5[:3] + noise[2, :3],
    }
    return values, {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2], "c": [0, 1, 2]}


def test_order_and_ranks_are_the_tests_where_an_arm_has_more_and_luckier_seeds() -> None:
    values, seeds = with_lucky_seeds()
    found = compare_all_pairs(values, np.random.default_rng(0), seeds)
    assert values["a"].mean() > values["b"].mean()
    assert found.arms == ("b", "a", "c")
    assert found.ranks() == {"b": (1, 1), "a": (2, 2), "c": (3, 3)}
    assert found.is_better("b", "a") and not found.is_better("a", "b")
    for a, b in (("a", "b"), ("b", "a"), ("a", "c"), ("c", "b")):
        pair, shared = found.pair(a, b), 3
        assert pair is not None
        expected = values[a][:shared].mean() - values[b][:shared].mean()
        assert pair.difference == pytest.approx(expected)
        assert pair.low < pair.difference < pair.high
        places = [found.arms.index(arm) for arm in (a, b)]
        assert found.mean_M[places[0]] - found.mean_M[places[1]] == pytest.approx(expected)


def test_tests_that_contradict_each_other_make_no_arm_better() -> None:
    circle_MM = np.zeros((4, 4), dtype=bool)
    circle_MM[[0, 1, 2, 0, 1, 2], [1, 2, 0, 3, 3, 3]] = True
    expected_MM = np.zeros((4, 4), dtype=bool)
    expected_MM[:3, 3] = True
    found_MM = without_contradictions(circle_MM)
    assert (found_MM == expected_MM).all()
    assert standing_order(found_MM, np.array([0.1, 0.3, 0.2, 0.9])) == [1, 2, 0, 3]


def test_an_arm_that_was_compared_with_none_has_no_variance_and_lends_none() -> None:
    generator = np.random.default_rng(6)
    values_MSP = arms_of(generator, 4)
    seeds = {str(m): [0, 1, 2, 3] for m in range(4)}
    values = {arm: values_MSP[int(arm)] for arm in seeds}
    without = compare_all_pairs(values, np.random.default_rng(0), seeds)
    more = values | {"alone": values_MSP[5]}
    found = compare_all_pairs(more, np.random.default_rng(0), seeds | {"alone": [4, 5, 6, 7]})
    of_arm = dict(zip(found.arms, found.variance_M(), strict=True))
    assert np.isnan(of_arm.pop("alone"))
    expected = dict(zip(without.arms, without.variance_M(), strict=True))
    assert of_arm == pytest.approx(expected)


def test_variances_are_those_of_the_tested_pairs_alone() -> None:
    tests = MeanTests.none(6)
    own_M = np.array([1.0, 2.0, 3.0, 4.0])
    first, second = np.triu_indices(4, k=1)
    tests.variance_N[:] = own_M[first] + own_M[second]
    tests.seeds_N[:] = 3
    assert own_variances(tests, 4) == pytest.approx(own_M)
    tests.seeds_N[2] = tests.variance_N[2] = 0
    assert own_variances(tests, 4) == pytest.approx(own_M)


def test_one_problem_tells_nothing() -> None:
    values = {"a": np.full((3, 1), 0.1), "b": np.full((3, 1), 0.9)}
    found = compare_all_pairs(values, np.random.default_rng(0))
    assert found.pair("a", "b") is None
    assert set(found.ranks().values()) == {(1, 2)}


def test_an_arm_that_is_not_there_is_refused_by_name() -> None:
    good = np.random.default_rng(0).random((3, 8))
    found = compare_all_pairs({"a": good, "b": good}, np.random.default_rng(0))
    calls = (
        lambda: found.pair("a", "x"),
        lambda: found.detectable("x", "a"),
        lambda: found.is_better("x", "a"),
        lambda: found.beyond("x", "a", 0.1),
        lambda: found.index_of("x"),
    )
    for call in calls:
        with pytest.raises(ValueError, match="'x'"):
            call()
    with pytest.raises(ValueError, match="seeds of every method, also of b"):
        compare_all_pairs({"a": good, "b": good}, np.random.default_rng(0), {"a": [0, 1, 2]})
