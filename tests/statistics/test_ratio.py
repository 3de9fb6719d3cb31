"""The ratio of two means, with its interval."""

from __future__ import annotations

import numpy as np
import pytest

from verirank.statistics import bootstrap_mean, own_noise, ratio_of_means


def values(seed: int, seeds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    whole_SP = generator.normal(0.3, 0.2, (seeds, 80))
    return 0.5 * whole_SP + generator.normal(0, 0.2, (seeds, 80)), whole_SP


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_interval_ends_where_what_is_left_is_proven(seeds: int) -> None:
    part_SP, whole_SP = values(1, seeds)
    found = ratio_of_means(part_SP, whole_SP, generator())
    assert found.ratio == pytest.approx(part_SP.mean() / whole_SP.mean())
    assert found.low is not None and found.high is not None
    assert found.low < found.ratio < found.high

    def rest(r: float) -> tuple[float, float]:
        rest_SP = part_SP - r * whole_SP
        interval = bootstrap_mean(rest_SP, generator(), own_noise(rest_SP[None]))
        return interval.low, interval.high

    assert rest(found.low)[0] == pytest.approx(0, abs=1e-6)
    assert rest(found.high)[1] == pytest.approx(0, abs=1e-6)


def test_all_or_nothing_of_a_whole_is_known_without_doubt() -> None:
    _, whole_SP = values(2)
    for share in (0.0, 1.0):
        found = ratio_of_means(share * whole_SP, whole_SP, generator())
        assert (found.ratio, found.low, found.high) == pytest.approx((share,) * 3, abs=1e-6)


def test_of_a_whole_that_may_be_nothing_there_is_no_bound() -> None:
    part_SP, whole_SP = values(3)
    found = ratio_of_means(part_SP, whole_SP - whole_SP.mean() + 1e-3, generator())
    assert found.low is None and found.high is None


def test_a_ratio_to_a_loss_is_refused() -> None:
    part_SP, whole_SP = values(4)
    with pytest.raises(ValueError, match="a positive whole"):
        ratio_of_means(part_SP, -whole_SP, generator())
