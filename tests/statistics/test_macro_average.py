"""Several benches as one, against their means and a direct stratified bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from verirank.statistics import (
    bootstrap_mean,
    compare_all_pairs,
    macro_average,
    paired_difference,
)

SIZES = (30, 40, 272)
SAMPLES = (32, 32, 4)


def benches(seeds: int, shift: float = 0.0, draw: int = 0) -> list[NDArray[np.bool_]]:
    """Return S x P x K samples of each bench; their solve rates differ widely."""
    generator = np.random.default_rng([draw, seeds])
    found = []
    for place, (problems, samples) in enumerate(zip(SIZES, SAMPLES, strict=True)):
        rate_P = np.clip(np.random.default_rng(place).beta(1 + place, 2, problems) + shift, 0, 1)
        found.append(generator.random((seeds, problems, samples)) < rate_P[:, None])
    return found


def test_every_seeds_mean_is_the_mean_over_benches() -> None:
    sampled = benches(3)
    values_SPK = macro_average(sampled)
    assert values_SPK.shape == (3, sum(SIZES), min(SAMPLES))
    by_hand_S = np.mean([bench.mean(axis=(1, 2)) for bench in sampled], axis=0)
    assert values_SPK.mean(axis=(1, 2)) == pytest.approx(by_hand_S)


def test_one_bench_is_itself() -> None:
    (bench, *_) = benches(2)
    assert macro_average([bench]) == pytest.approx(bench.astype(float))


def test_the_interval_of_one_seed_is_that_of_a_direct_stratified_bootstrap() -> None:
    sampled = benches(1)
    found = bootstrap_mean(macro_average(sampled).mean(axis=2), np.random.default_rng(0))
    generator, means = np.random.default_rng(1), []
    for _ in range(20_000):
        drawn = [
            b[0].mean(axis=1)[generator.integers(b.shape[1], size=b.shape[1])] for b in sampled
        ]
        means.append(np.mean([bench.mean() for bench in drawn]))
    # The direct one falls short of the unbiased variance by (P - 1) / P of a bench.
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.mean == pytest.approx(np.mean(means), abs=0.001)
    assert found.high - found.low == pytest.approx(high - low, rel=0.05)


def test_the_variance_over_problems_is_exactly_the_stratified_one() -> None:
    sampled = benches(1)
    values_P = macro_average(sampled)[0].mean(axis=1)
    strata = [bench[0].mean(axis=1).var(ddof=1) / bench.shape[1] for bench in sampled]
    assert values_P.var(ddof=1) / len(values_P) == pytest.approx(sum(strata) / len(strata) ** 2)


def test_methods_are_compared_and_ranked_on_the_average() -> None:
    a, b = macro_average(benches(3, 0.1, draw=1)), macro_average(benches(3, draw=2))
    generator = np.random.default_rng(0)
    difference = paired_difference(a, b, generator)
    assert difference.mean == pytest.approx(a.mean() - b.mean())
    assert difference.low > 0
    found = compare_all_pairs({"a": a.mean(axis=2), "b": b.mean(axis=2)}, generator)
    assert found.ranks() == {"a": (1, 1), "b": (2, 2)}


def test_benches_of_other_numbers_of_samples_keep_their_means() -> None:
    few, many = benches(2)[0][:, :, :3], benches(2)[1]
    values_SPK = macro_average([few, many])
    assert values_SPK.shape[2] == 1
    assert values_SPK.mean() == pytest.approx((few.mean() + many.mean()) / 2)


def test_what_is_no_average_is_refused() -> None:
    with pytest.raises(ValueError, match="same seeds"):
        macro_average([benches(2)[0], benches(3)[1]])
    with pytest.raises(ValueError, match="two problems"):
        macro_average([benches(2)[0], benches(2)[1][:, :1]])
    with pytest.raises(ValueError, match="not finite"):
        paired_difference(np.full((2, 5, 1), np.nan), np.zeros((2, 5, 1)), np.random.default_rng(0))
