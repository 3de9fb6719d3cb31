"""Searches of learning rates on simulated methods, for coverage.py: how sure the rate is, and why.

Two methods are equal at their best rates. Each is searched, and fresh seeds of both are compared at
the rates found. How a score answers to the rate is a parabola or one of the shapes in RESPONSES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from verirank.statistics import (
    UNSEARCHED,
    Difficulty,
    FinalScores,
    SearchNoise,
    compare_all_pairs,
    surely_worse,
)

Floats = NDArray[np.float64]
RATES = tuple(10.0**exponent for exponent in (-1.0, -0.5, 0.0, 0.5, 1.0))
STUDIES, SEEDS, PROBLEMS, SAMPLES, BEND = 400, 3, 256, 8, 0.12


def parabola(u: Floats, bend: float = BEND) -> Floats:
    """Return what a rate loses that lies u decades above the best one."""
    return np.minimum(bend * u**2, 0.4)


def cliff(u: Floats) -> Floats:
    """Fall by 40 points a tenth of a decade above the best rate, as where training diverges."""
    return np.where(u > 0.1, 0.4, parabola(u))


def ramp(u: Floats) -> Floats:
    """Rise by 4 points a decade up to the best rate, and fall by 40 behind it."""
    return np.where(u > 0.02, 0.4, np.minimum(0.04 * np.abs(u), 0.4))


def plateau(u: Floats) -> Floats:
    """Lose nothing within half a decade of the middle."""
    return parabola(np.maximum(np.abs(u) - 0.5, 0.0))


def two_humps(u: Floats) -> Floats:
    """Have a second top 1.2 decades above, a point lower, and a valley of 4 points between."""
    return np.minimum(parabola(u), 0.01 + parabola(u - 1.2))


def narrow_hump(u: Floats) -> Floats:
    """Have a top 3 points high that is half gone an eighth of a decade away, on a parabola."""
    return np.minimum(parabola(u) + 0.03 * (1 - np.exp(-np.log(2) * (u / 0.125) ** 2)), 0.4)


RESPONSES: dict[str, Callable[[Floats], Floats]] = {
    "parabola": parabola,
    "cliff above the best": cliff,
    "ramp up to a cliff": ramp,
    "plateau": plateau,
    "two humps": two_humps,
    "a narrow hump": narrow_hump,
}
Rule = Callable[[Callable[[Floats], Floats], float, np.random.Generator], FinalScores]


def runs(means_R: Floats, seeds: int, generator: np.random.Generator) -> Floats:
    """Return the shares of right samples, R x S x P, of runs around these differences in means."""
    chance_P = generator.beta(*Difficulty(0.7).shapes, PROBLEMS)
    weight_P = chance_P * (1 - chance_P) / np.mean(chance_P * (1 - chance_P))
    move_RS = means_R[:, None] + generator.normal(0, 0.015, (len(means_R), seeds))
    chance_RSP = chance_P + move_RS[:, :, None] * weight_P
    return generator.binomial(SAMPLES, chance_RSP.clip(0, 1)) / SAMPLES


def searched(
    response: Callable[[Floats], Floats], best: float, generator: np.random.Generator
) -> FinalScores:
    """Return the present search of a method, with three seeds, at its last step."""
    return narrowed(runs(-response(np.log10(RATES) - best), SEEDS, generator), range(len(RATES)))


def narrowed(values_RSP: Floats, places: Sequence[int]) -> FinalScores:
    """Return the scores of the rates that are not surely worse, and of those beside the best."""
    top, worse_R = int(values_RSP.mean(axis=(1, 2)).argmax()), surely_worse(values_RSP)
    kept = [at for at in range(len(places)) if not worse_R[at] or abs(at - top) <= 1]
    return FinalScores(RATES, tuple(places[at] for at in kept), values_RSP[kept])


def two_seeds(
    response: Callable[[Floats], Floats], best: float, generator: np.random.Generator
) -> FinalScores:
    """Return a search with two seeds."""
    return narrowed(runs(-response(np.log10(RATES) - best), 2, generator), range(len(RATES)))


def bracketed(
    response: Callable[[Floats], Floats], best: float, generator: np.random.Generator
) -> FinalScores:
    """Return a search that begins with the three middle rates and goes on at an edge that leads."""
    values_RSP = runs(-response(np.log10(RATES) - best), SEEDS, generator)
    low, high, mean_R = 1, 3, values_RSP.mean(axis=(1, 2))
    while True:
        top = low + int(mean_R[low : high + 1].argmax())
        if top == low > 0:
            low -= 1
        elif top == high < len(RATES) - 1:
            high += 1
        else:
            places = range(low, high + 1)
            return narrowed(values_RSP[low : high + 1], places)


def told_apart(
    response: Callable[[Floats], Floats], rule: Rule, studies: int, seeds: Sequence[int]
) -> list[float]:
    """Return how often equal methods are told apart at each number of seeds; and three means.

    These are the root mean squares of what the chosen rate falls short of the best and of what the
    search says of that, and the number of rates that were scored at the last step.
    """
    generator = np.random.default_rng(len(seeds))
    lost_DM, noises, said = list[Floats](), list[SearchNoise](), list[list[float]]()
    for _ in range(studies):
        best_M = generator.uniform(-0.5, 0.5, 2)
        searches = [rule(response, best, generator) for best in best_M]
        lost_DM.append(response(np.log10([one.rate for one in searches]) - best_M))
        own = {str(m): one.search_variance() for m, one in enumerate(searches)}
        noises.append(SearchNoise.pooled(own, searches[0].values_RSP.shape[1] - 1))
        rates = np.mean([len(one.finalists) for one in searches])
        said.append([float(np.mean(list(own.values()))), float(rates)])
    pairs = list(zip(lost_DM, noises, strict=True))
    each = [[_apart(-lost_M, one, noise, generator) for lost_M, noise in pairs] for one in seeds]
    variance, rates = np.mean(said, axis=0)
    squares = (float(np.mean(np.square(lost_DM))), float(variance))
    return [*np.mean(each, axis=1).tolist(), *np.sqrt(squares).tolist(), float(rates)]


def _apart(means_M: Floats, seeds: int, noise: SearchNoise, generator: np.random.Generator) -> bool:
    values_MSP = runs(means_M, seeds, generator)
    methods = {str(m): values_SP for m, values_SP in enumerate(values_MSP)}
    # Resamples of one state are drawn once for all studies.
    tests = compare_all_pairs(methods, np.random.default_rng(0), search=noise)
    return bool(tests.tests.p_N[0] <= 0.05)


def response_rows(studies: int = STUDIES // 2) -> Iterator[list[str]]:
    """Yield a row a response to the rate."""
    for name, response in RESPONSES.items():
        yield [name, *_cells(told_apart(response, searched, studies, (3, 5, 10)))]


def rule_rows(studies: int = STUDIES // 4) -> Iterator[list[str]]:
    """Yield a row a rule that would be cheaper."""
    rules: dict[str, Rule] = {
        "all five, three seeds": searched,
        "all five, two seeds": two_seeds,
        "three in the middle, more at an edge": bracketed,
    }
    for name, rule in rules.items():
        yield [name, *_cells(told_apart(parabola, rule, studies, (3, 5, 10)))]


def _cells(found: list[float]) -> list[str]:
    *apart, short, told, rates = found
    shares = [f"{100 * one:.1f}" for one in apart]
    return [*shares, f"{100 * short:.2f}", f"{100 * told:.2f}", f"{rates:.1f}"]


def searched_alike(bend: float, seeds: int, studies: int = STUDIES) -> dict[str, float]:
    """Return how often two methods that are equal at their best rates are told apart.

    Best rates lie anywhere within half a decade of the middle of the grid. Keys: `one_seed`, where
    the best score of one search seed wins and the search is not counted; `not_counted`, where this
    search is not counted; `counted`; and the root mean squares of what it falls short of the best
    rate, `short`, and of what it says of that, `told`.
    """
    generator = np.random.default_rng([seeds, round(1e4 * bend)])
    found = dict.fromkeys(("one_seed", "not_counted", "counted", "short", "told"), 0.0)

    def response(u: Floats) -> Floats:
        return parabola(u, bend)

    for _ in range(studies):
        best_M = generator.uniform(-0.5, 0.5, 2)
        searches = [searched(response, best, generator) for best in best_M]
        lost_M = bend * (np.log10([one.rate for one in searches]) - best_M) ** 2
        own = {str(m): one.search_variance() for m, one in enumerate(searches)}
        noise = SearchNoise.pooled(own, SEEDS - 1)
        of_one = [one.values_RSP[:, 0].mean(axis=1).argmax() for one in searches]
        rate_M = [RATES[s.finalists[at]] for s, at in zip(searches, of_one, strict=True)]
        lost_by_one_M = bend * (np.log10(rate_M) - best_M) ** 2
        state = generator.bit_generator.state
        for name, losses_M, of_searches in (
            ("one_seed", lost_by_one_M, UNSEARCHED),
            ("not_counted", lost_M, UNSEARCHED),
            ("counted", lost_M, noise),
        ):
            generator.bit_generator.state = state
            found[name] += _apart(-losses_M, seeds, of_searches, generator)
        found["short"] += float(np.mean(lost_M**2))
        found["told"] += float(np.mean(list(own.values())))
    shares = {name: total / studies for name, total in found.items()}
    return shares | {name: float(np.sqrt(shares[name])) for name in ("short", "told")}


def search_rows() -> Iterator[list[str]]:
    """Yield how often equal methods are told apart by how steep they are and how many seeds."""
    for bend in (0.03, 0.12, 0.4):
        for seeds in (3, 5, 10):
            found = searched_alike(bend, seeds)
            shares = [f"{100 * share:.1f}" for share in list(found.values())[:3]]
            squares = [f"{100 * found[name]:.2f}" for name in ("short", "told")]
            yield [f"{100 * bend:g}", str(seeds), *shares, *squares]
