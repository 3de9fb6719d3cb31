"""What a tie means, and which units of a study are independent."""

from __future__ import annotations

import numpy as np
import pytest

from verirank.statistics import (
    AllPairs,
    bootstrap_means,
    by_group,
    compare_all_pairs,
    posterior,
)


def pairs_of(values_MSP: np.ndarray) -> AllPairs:
    """Return the tests of all pairs of arms named by their place."""
    values = {str(place): values_SP for place, values_SP in enumerate(values_MSP)}
    return compare_all_pairs(values, np.random.default_rng(0))


def test_arms_that_differ_by_the_margin_are_called_equal_at_most_5_times_in_100() -> None:
    generator, wrong = np.random.default_rng(0), 0
    for _ in range(400):
        values_MSP = generator.normal(0, 0.02, (4, 5, 16)) + generator.normal(0, 0.01, (4, 5, 1))
        values_MSP[0] += 0.02
        found = pairs_of(values_MSP)
        wrong += bool(found.equal(0.02)[found.arms.index("0")].sum() > 1)
    assert wrong / 400 <= 0.05


def test_arms_well_within_the_margin_are_called_equal() -> None:
    values_MSP = np.random.default_rng(1).normal(0, 0.01, (3, 5, 16))
    assert pairs_of(values_MSP).equal(0.05).all()
    assert len(pairs_of(values_MSP).equal_groups(0.05)[0]) == 3


@pytest.mark.parametrize("arms", [2, 3])
def test_a_chance_of_being_best_of_90_percent_is_right_as_often(arms: int) -> None:
    generator, degrees, right, said = np.random.default_rng(2), 2.0 * (arms - 1), [], []
    for _ in range(300):
        true_M = generator.normal(0.5, 0.02, arms)
        mean_M = generator.normal(true_M, 0.01)
        variance = 0.01**2 * generator.chisquare(degrees) / degrees
        best_M = posterior(mean_M, np.full(arms, variance), 0.02, degrees).best_M
        if best_M.max() > 0.85:
            right.append(best_M.argmax() == true_M.argmax())
            said.append(best_M.max())
    assert len(said) > 20
    assert np.mean(right) >= np.mean(said) - 0.05


def test_chances_of_being_best_add_up_and_grow_with_what_is_known() -> None:
    means, variances = np.array([0.70, 0.71, 0.74, 0.745, 0.60]), np.full(5, 0.01**2)
    few, many = (posterior(means, variances, 0.02, degrees) for degrees in (4.0, 1000.0))
    assert few.best_M.sum() == pytest.approx(1)
    assert many.best_M[4] < few.best_M[4] < 0.01
    assert (few.near_best_M >= few.best_M).all()
    assert few.mean_M[3] < 0.745 and few.mean_M[4] > 0.60


def test_the_leader_of_equal_arms_is_drawn_back_to_the_others() -> None:
    generator = np.random.default_rng(3)
    drawn = generator.normal(0.5, 0.01, (300, 13))
    leaders = [(m.max(), posterior(m, np.full(13, 1e-4), 0.01).mean_M.max()) for m in drawn]
    plain, shrunk = np.mean(leaders, axis=0) - 0.5
    assert shrunk < 0.4 * plain


def test_problems_that_correlate_within_groups_are_covered_by_groups_only() -> None:
    generator, groups = np.random.default_rng(4), np.repeat(np.arange(24), 8)
    shared = generator.normal(0, 0.1, (400, 1, 24))[:, :, groups]
    values_BSP = 0.5 + shared + generator.normal(0, 0.1, (400, 3, len(groups)))
    grouped_BSG = np.stack([by_group(values_SP, groups.tolist()) for values_SP in values_BSP])
    covered = [
        np.mean([one.low <= 0.5 <= one.high for one in bootstrap_means(values, generator)])
        for values in (values_BSP, grouped_BSG)
    ]
    assert covered[0] < 0.75 and 0.92 <= covered[1] <= 0.98


def test_a_group_a_problem_changes_nothing_and_unequal_groups_keep_the_mean() -> None:
    values_SP = np.random.default_rng(5).random((3, 6))
    assert by_group(values_SP, list("abcdef")) == pytest.approx(values_SP)
    assert by_group(values_SP, list("aaaabc")).mean() == pytest.approx(values_SP.mean())
    with pytest.raises(ValueError, match="group of every problem"):
        by_group(values_SP, list("abc"))
