"""Measure how often the intervals cover the truth, on simulated studies whose truth is known.

    python docs/results/coverage.py docs/results/coverage.md

The model is `verirank.statistics.StudyModel`: beta-distributed problems that are as hard as AIME's
are for a 1.5B model, seeds that move a method's accuracy, binomial samples. A few minutes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from verirank.statistics import (
    Assumptions,
    Design,
    Difficulty,
    Estimate,
    StudyModel,
    bootstrap_means,
    holm,
    interquartile_mean,
    own_noise,
    paired_differences,
    probability_of_improvement,
    rank_with_ties,
)

STUDIES, BATCH, SAMPLES = 2000, 50, 8
DIFFICULTY, DIFFERENCE, SEED_SD = Difficulty(0.3), 0.02, 0.02
TASK_MEANS = np.array([0.29, 0.23, 0.63, 0.83, 0.26])
# Seeds, problems, samples a problem, true difference.
DESIGNS = [
    (1, 30, 32, 0.05),
    (3, 30, 32, 0.05),
    (5, 30, 32, 0.04),
    (10, 30, 16, 0.03),
    (2, 500, 4, 0.04),
    (3, 500, 4, 0.04),
    (5, 500, 4, 0.02),
    (10, 500, 4, 0.02),
]
METHODS, RANKINGS = 13, 1000
SPREADS = {
    "all alike": [1.0] * METHODS,
    "one 3 times as much": [3.0] + [1.0] * (METHODS - 1),
    "one 5 times as much": [5.0] + [1.0] * (METHODS - 1),
    "seven a fifth as much": [0.2] * 7 + [1.0] * (METHODS - 7),
    "six 3 times as much": [3.0] * 6 + [1.0] * (METHODS - 6),
}
Shares = dict[str, float]


def coverage(seed_sd: float, seeds: int, problems: int, studies: int = STUDIES) -> Shares:
    """Return the share of studies whose 95 % interval covers the truth.

    Keys: `mean` and `difference`, for the truth that the interval is about: that of the method, or
    with one seed that of the runs at hand; and `mean_of_method` and `difference_of_method`.
    """
    model = StudyModel(DIFFICULTY, seed_sd, DIFFERENCE)
    generator = np.random.default_rng([seeds, problems, round(1e4 * seed_sd)])
    hits = dict.fromkeys(("mean", "difference", "mean_of_method", "difference_of_method"), 0)
    for _ in range(studies // BATCH):
        drawn = model.draw(BATCH, seeds, problems, SAMPLES, generator)
        for name, values, of_method, of_runs in (
            ("mean", drawn.a_BSP, drawn.accuracy, drawn.run_accuracy_B),
            ("difference", drawn.a_BSP - drawn.b_BSP, drawn.difference, drawn.run_difference_B),
        ):
            covers = _covers(values, generator, compared=name == "difference")
            hits[f"{name}_of_method"] += covers(of_method)
            hits[name] += covers(of_runs if seeds == 1 else of_method)
    return {name: count / studies for name, count in hits.items()}


def _covers(values_BSP: NDArray[np.float64], generator: np.random.Generator, compared: bool):
    noise = own_noise(values_BSP) if compared else None
    intervals = bootstrap_means(values_BSP, generator, noise)
    low_B = np.array([interval.low for interval in intervals])
    high_B = np.array([interval.high for interval in intervals])
    return lambda truth: int(np.sum((low_B <= truth) & (truth <= high_B)))


def aggregate_coverage(seeds: int, studies: int = STUDIES) -> tuple[float, float, float]:
    """Return the coverage of interquartile mean and probability of improvement, and the abstained.

    Five tasks; a seed moves all scores by SD 2 points together and each by 2 more on its own; the
    one method is 3 points better. The last share is that of studies without a second interval.
    """
    generator = np.random.default_rng(seeds)

    def scores(runs: int, better: float = 0.0) -> NDArray[np.float64]:
        shared = generator.normal(0, SEED_SD, (runs, 1))
        return TASK_MEANS + better + shared + generator.normal(0, SEED_SD, (runs, len(TASK_MEANS)))

    true_mean = float(stats.trim_mean(scores(20_000), 0.25, axis=None))
    true_chance = stats.norm.cdf(0.03 / (2 * SEED_SD))
    middles = [interquartile_mean(scores(seeds), generator) for _ in range(studies)]
    chances = [probability_of_improvement(scores(seeds, 0.03), scores(seeds)) for _ in middles]
    given = [chance for chance in chances if chance.low is not None]
    return (
        float(np.mean([_holds(middle, true_mean) for middle in middles])),
        float(np.mean([_holds(chance, true_chance) for chance in given])),
        1 - len(given) / studies,
    )


def _holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low is not None and estimate.low <= truth <= estimate.high


def false_findings(
    spreads: list[float], seeds: int, studies: int = RANKINGS
) -> tuple[float, float, float]:
    """Return the shares of studies of equal methods that tell any two of them apart.

    Seeds alone are chance, of SD 2 points times each method's spread. The shares are of the ranking
    of all methods, of each against the last (Holm's correction over these), and of the ranking
    where one with a spread of 1 is better by 10 points and is told from the last: no error.
    """
    generator = np.random.default_rng([seeds, round(10 * sum(spreads))])
    scale_M11 = SEED_SD * np.array(spreads)[:, None, None]
    false = np.zeros(3)
    for _ in range(studies):
        values_MSP = 0.5 + scale_M11 * generator.normal(size=(len(spreads), seeds, 1))
        # Problems differ a little, or there would be nothing to resample.
        values_MSP = values_MSP + generator.normal(0, 1e-4, (len(spreads), seeds, 8))
        values_MSPK = values_MSP[..., None]
        methods = {str(place): values_SPK for place, values_SPK in enumerate(values_MSPK)}
        false[0] += any(one.rank > 1 for one in rank_with_ties(methods, generator))
        *others, last = values_MSPK
        pairs = paired_differences([(other, last) for other in others], generator)
        false[1] += holm([pair.p for pair in pairs]).min() <= 0.05
        a, b = str(len(spreads) - 2), str(len(spreads) - 1)
        better = methods | {a: methods[a] + 0.1}
        ranks = {one.method: one.rank for one in rank_with_ties(better, generator)}
        false[2] += ranks[a] < ranks[b]
    in_ranking, against_one, found = (false / studies).tolist()
    return in_ranking, against_one, found


def power(seeds: int, problems: int, samples: int, difference: float) -> tuple[float, float]:
    """Return the power that the formula says and the one that simulated studies show."""
    assumed = Assumptions(DIFFICULTY, seed_sd=0.01)
    said = assumed.noise(difference).power(Design(problems, seeds, samples), difference)
    # With one seed the difference is that of the two runs, so no seed moves it.
    model = StudyModel(DIFFICULTY, 0.0 if seeds == 1 else assumed.seed_sd, difference)
    generator = np.random.default_rng([seeds, problems, samples])
    found = 0
    for _ in range(STUDIES // BATCH):
        drawn = model.draw(BATCH, seeds, problems, samples, generator)
        differences_BSP = drawn.a_BSP - drawn.b_BSP
        intervals = bootstrap_means(differences_BSP, generator, own_noise(differences_BSP))
        found += sum(interval.p <= 0.05 for interval in intervals)
    return said, found / STUDIES


def table(head: str, rows: Iterator[list[str]]) -> str:
    """Return a Markdown table."""
    rule = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)])


def percent(*shares: float) -> list[str]:
    """Return shares as percentages."""
    return [f"{100 * share:.1f}" for share in shares]


def main_rows() -> Iterator[list[str]]:
    """Yield coverage in the main setting."""
    for seeds in (1, 3, 10):
        for problems in (30, 500):
            found = coverage(SEED_SD, seeds, problems)
            about = "these runs" if seeds == 1 else "the method"
            yield [str(seeds), str(problems), about, *percent(*list(found.values()))]


def edge_rows() -> Iterator[list[str]]:
    """Yield coverage where the seeds' noise is none, small or large, and for two seeds."""
    for seed_sd in (0.0, 0.01, 0.02, 0.03):
        for seeds in (2, 3, 10):
            for problems in (30, 500):
                found = coverage(seed_sd, seeds, problems)
                shares = percent(found["mean"], found["difference"])
                yield [f"{100 * seed_sd:g}", str(seeds), str(problems), *shares]


def finding_rows() -> Iterator[list[str]]:
    """Yield how often rankings and comparisons of equal methods err."""
    for name, spreads in SPREADS.items():
        for seeds in (3, 5):
            yield [name, str(seeds), *percent(*false_findings(spreads, seeds))]


def main(out: Path) -> None:
    """Measure and write the page."""
    edges = table("SD of seeds, points | seeds | problems | mean | difference", edge_rows())
    aggregates = table(
        "seeds | interquartile mean | probability of improvement | no interval for the latter",
        ([str(s), *percent(*aggregate_coverage(s))] for s in (3, 5, 10)),
    )
    powers = table(
        "seeds | problems | samples | difference, points | formula | simulated",
        (
            [*map(str, design[:3]), f"{100 * design[3]:g}", *percent(*power(*design))]
            for design in DESIGNS
        ),
    )
    main_table = table(
        "seeds | problems | the truth meant | mean | difference | "
        "mean, of the method | difference, of the method",
        main_rows(),
    )
    findings = table(
        "seeds move | seeds | in the ranking | against one method | power in the ranking",
        finding_rows(),
    )
    sections = [_HEAD, main_table, _EDGES, edges, _FINDINGS, findings]
    sections += [_AGGREGATES, aggregates, _POWER, powers]
    out.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


_HEAD = f"""# How often the intervals cover the truth

Written by `python docs/results/coverage.py docs/results/coverage.md`; percentages of {STUDIES:,}
simulated studies each, so that a true 95 shows as 94 to 96.

A study has problems of chance p ~ Beta with mean 30 % and SD {100 * DIFFICULTY.spread:.0f} points,
which gives the sampling noise of AIME-like problems, and {SAMPLES} samples a problem. A seed of a
method moves p by x h(p), h(p) = p(1-p) / E[p(1-p)], x ~ N(effect, {100 * SEED_SD:g} points). The
methods differ by {100 * DIFFERENCE:g} points.

With one seed the interval is about the two policies at hand, and covers their truth. The last two
columns are why a claim on a method gets no interval from one seed: read as one, it fails."""

_EDGES = """## Where it is off

Where seeds hardly matter, intervals of a paired difference are too wide: they cover 97 to 99 times
in 100, because the noise of a few seeds' means has to be allowed for though it is none. Two seeds
have one degree of freedom. A method's own mean is then covered too seldom once seeds matter, about
90 times in 100 on many problems. A difference is made no surer than a t-test of the two seeds has
it, so its interval holds, and is mostly so wide that it says nothing: three seeds are the least for
a claim on a method."""

_FINDINGS = f"""## False differences among equal methods

{METHODS} methods that are equally good, and how often any two are told apart; {RANKINGS:,} studies
each, so that a true 5 shows as 3.6 to 6.4. Seeds move a method's mean by SD {100 * SEED_SD:g}
points, some methods' by more or less. `rank_with_ties` compares all pairs, `paired_differences` all
with one of them; both with Holm's correction at 5 %. The last column is no error: a method that
moves by the SD itself is better by 10 points there, and is told from another that does."""

_AGGREGATES = """## Aggregates over five tasks

Seeds alone are chance here. Two seeds get no interval. Where every seed of the one beats every
seed of the other on every task, there is no spread to judge by and no interval is given."""

_POWER = """## Power

A paired difference at 5 % two-sided, seeds' SD 1 point. The formula takes the degrees of freedom
that are expected; the two agree within 5 in 100."""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
