"""Arms of a study on simulated runs, for coverage.py: one that scatters, and the one that leads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from verirank.statistics import (
    EQUALITY_MARGIN,
    accuracy_intervals,
    compare_all_pairs,
    mean_tests,
    noise_of_arms,
    posterior,
)

Floats = NDArray[np.float64]
METHODS = 13
LEVELS = np.array([0.05, 0.05 / 9, 0.05 / 78])
SEED_SD = 0.015


def sizes(seeds: int, noisy: float = 1.0, studies: int = 2000) -> tuple[list[float], float]:
    """Return size over level of the tests of 13 arms that do not change, at each level.

    Also the share of studies where any of them is found to change, corrected by Holm. One arm's
    seeds scatter `noisy` times as much as the others'.
    """
    generator = np.random.default_rng([seeds, round(10 * noisy)])
    scale_M1 = np.where(np.arange(METHODS) == 0, noisy, 1.0)[:, None] * SEED_SD
    found_L, any_found = np.zeros(len(LEVELS)), 0
    for _ in range(studies):
        means_MS = scale_M1 * generator.normal(size=(METHODS, seeds))
        # Problems differ a little, or there would be nothing to resample.
        values_MSP = means_MS[:, :, None] + generator.normal(0, 1e-4, (METHODS, seeds, 8))
        noise = noise_of_arms(values_MSP.mean(axis=2))
        tests = mean_tests(values_MSP, np.random.default_rng(0), noise)
        found_L += [np.sum(tests.p_N <= level) for level in LEVELS]
        any_found += bool((tests.p_holm_N <= 0.05).any())
    return (found_L / studies / METHODS / LEVELS).tolist(), any_found / studies


def size_rows() -> Iterator[list[str]]:
    """Yield size over level, and errors of the family, by seeds and how much one arm scatters."""
    for noisy in (1.0, 3.0, 5.0, 10.0):
        for seeds in (3, 5, 10):
            over_L, family = sizes(seeds, noisy)
            over = [f"{one:.2f}" for one in over_L]
            yield [f"{noisy:g}", str(seeds), *over, f"{100 * family:.1f}"]


def leaders(spread: float, seeds: int, studies: int = 100) -> list[float]:
    """Return how high the leader of 13 arms stands above its truth, and what is said of that.

    In shares of 1: the mean optimism, and the one that is said; and the shares of studies where its
    interval covers the truth, and where the interval less the optimism that is said does.
    """
    generator = np.random.default_rng([seeds, round(1e4 * spread)])
    found = np.zeros(4)
    for _ in range(studies):
        effect_M = generator.normal(0.0, spread, METHODS)
        chance_P = generator.beta(2.0, 2.0, 256)
        weight_P = chance_P * (1 - chance_P) / 0.2  # their mean
        move_MS = effect_M[:, None] + generator.normal(0.0, SEED_SD, (METHODS, seeds))
        chance_MSP = chance_P + move_MS[:, :, None] * weight_P
        values_MSP = generator.binomial(8, chance_MSP.clip(0, 1)) / 8
        values = {str(m): one for m, one in enumerate(values_MSP)}
        pairs = compare_all_pairs(values, np.random.default_rng(0))
        degrees = float(pairs.tests.degrees_N.mean())
        shrunk = posterior(pairs.mean_M, pairs.variance_M(), EQUALITY_MARGIN, degrees)
        leader = int(pairs.arms[0])
        noise = noise_of_arms(values_MSP.mean(axis=2))
        interval = accuracy_intervals(values_MSP, noise)[leader]
        luck, truth = float(pairs.mean_M[0] - shrunk.mean_M[0]), 0.5 + effect_M[leader]
        # What lies beside the truth of all arms alike, as hard problems do, is no optimism.
        others = values_MSP.mean() - 0.5 - effect_M.mean()
        found += [
            interval.mean - truth - others,
            luck,
            interval.low <= truth <= interval.high,
            interval.low - luck <= truth <= interval.high - luck,
        ]
    return (found / studies).tolist()


def leader_rows() -> Iterator[list[str]]:
    """Yield the leader's optimism and coverage by the spread of true means and the seeds."""
    for spread in (0.0, 0.01, 0.02, 0.04):
        for seeds in (3, 10):
            optimism, said, covered, moved = leaders(spread, seeds)
            points = [f"{100 * one:.2f}" for one in (optimism, said)]
            shares = [f"{100 * one:.1f}" for one in (covered, moved)]
            yield [f"{100 * spread:g}", str(seeds), *points, *shares]


def sure_of_the_best(
    arms: int, seeds: int, spread: float, studies: int = 200
) -> tuple[int, float, float]:
    """Return how often one arm is called the best with 90 % and more, the mean chance, the truth.

    Arms' means have an error of 1, which chi-square of (arms - 1) (seeds - 1) degrees tell.
    """
    generator = np.random.default_rng([arms, seeds, round(10 * spread)])
    degrees, said, right = float((arms - 1) * (seeds - 1)), list[float](), list[bool]()
    for _ in range(studies):
        true_M = generator.normal(0.5, 0.01 * spread, arms)
        mean_M = generator.normal(true_M, 0.01)
        variance = 0.01**2 * generator.chisquare(degrees) / degrees
        best_M = posterior(mean_M, np.full(arms, variance), EQUALITY_MARGIN, degrees).best_M
        if best_M.max() >= 0.9:
            said.append(float(best_M.max()))
            right.append(bool(best_M.argmax() == true_M.argmax()))
    return len(said), float(np.mean(said or [np.nan])), float(np.mean(right or [np.nan]))


def chance_rows() -> Iterator[list[str]]:
    """Yield what it means that one arm is said to be the best with 90 % and more."""
    for arms in (2, 3, 13):
        for seeds in (3, 10):
            for spread in (0.5, 1.0, 3.0):
                times, said, right = sure_of_the_best(arms, seeds, spread)
                shares = [f"{100 * one:.0f}" if times else "" for one in (said, right)]
                yield [str(arms), str(seeds), f"{spread:g}", str(times), *shares]
