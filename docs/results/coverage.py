"""Measure how often the intervals cover the truth, on simulated studies whose truth is known.

    python docs/results/coverage.py docs/results/coverage.md

The model is `verirank.statistics.StudyModel`: beta-distributed problems that are as hard as AIME's
are for a 1.5B model, seeds that move a method's accuracy, binomial samples. Names of sections
behind the page's measure these alone and leave the others as they stand. Sections are measured side
by side, one a core.
"""

import multiprocessing
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from verirank.config import usable_cores
from verirank.statistics import (
    Assumptions,
    Design,
    Difficulty,
    Estimate,
    StudyModel,
    accuracy_intervals,
    bootstrap_means,
    collapsed_seeds,
    compare_all_pairs,
    holm,
    own_noise,
    paired_differences,
    probability_of_improvement,
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
Rows = Callable[[], Iterator[list[str]]]


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


def aggregate_coverage(seeds: int, studies: int = STUDIES) -> tuple[float, float]:
    """Return the coverage of the probability of improvement, and the share without an interval.

    Five tasks; a seed moves all scores by SD 2 points together and each by 2 more on its own; the
    one method is 3 points better.
    """
    generator = np.random.default_rng(seeds)

    def scores(runs: int, better: float = 0.0) -> NDArray[np.float64]:
        shared = generator.normal(0, SEED_SD, (runs, 1))
        return TASK_MEANS + better + shared + generator.normal(0, SEED_SD, (runs, len(TASK_MEANS)))

    true_chance = stats.norm.cdf(0.03 / (2 * SEED_SD))
    chances = [
        probability_of_improvement(scores(seeds, 0.03), scores(seeds)) for _ in range(studies)
    ]
    given = [chance for chance in chances if chance.low is not None]
    covered = float(np.mean([_holds(chance, true_chance) for chance in given]))
    return covered, 1 - len(given) / studies


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
        methods = {str(place): values_SP for place, values_SP in enumerate(values_MSP)}
        ranks = compare_all_pairs(methods, generator).ranks()
        false[0] += any(best > 1 for best, _ in ranks.values())
        *others, last = values_MSP[..., None]
        pairs = paired_differences([(other, last) for other in others], generator)
        false[1] += holm([pair.p for pair in pairs]).min() <= 0.05
        a, b = str(len(spreads) - 2), str(len(spreads) - 1)
        better = methods | {a: methods[a] + 0.1}
        ranks = compare_all_pairs(better, generator).ranks()
        false[2] += ranks[a][0] < ranks[b][0]
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


def accuracy_coverage(
    accuracy: float, problems: int, samples: int, seeds: int, studies: int = 1000
) -> float:
    """Return how often the interval of one arm's accuracy covers the truth.

    A seed moves it by SD 1 point, or less where that would lead out of [0, 1].
    """
    difficulty = Difficulty(accuracy)
    model = StudyModel(difficulty, min(0.01, difficulty.sample_variance / 4))
    generator = np.random.default_rng([round(1000 * accuracy), problems, samples, seeds])
    hits = 0
    for _ in range(studies // BATCH):
        drawn = model.draw(BATCH, seeds, problems, samples, generator)
        intervals = accuracy_intervals(drawn.a_BSP)
        hits += sum(one.low <= accuracy <= one.high for one in intervals)
    return hits / studies


def collapses(seeds: int, chance: float, studies: int = 200) -> tuple[float, float, float]:
    """Return, of equal arms whose seeds collapse with a chance, what the tests make of them.

    The share of collapsed seeds that are found, of studies where another seed is called collapsed,
    and of studies where any two arms are told apart.
    """
    generator = np.random.default_rng([seeds, round(100 * chance)])
    found = fallen = mistaken = apart = 0
    for _ in range(studies):
        low_MS = generator.random((METHODS, seeds)) < chance
        means_MS = 0.5 + generator.normal(0, SEED_SD, low_MS.shape) - 0.2 * low_MS
        noise_MSP = generator.normal(0, 0.05, (*low_MS.shape, 64))
        values = {str(m): one for m, one in enumerate(means_MS[:, :, None] + noise_MSP)}
        called_MS = np.stack(collapsed_seeds([one.mean(axis=1) for one in values.values()]))
        found, fallen = found + int((called_MS & low_MS).sum()), fallen + int(low_MS.sum())
        mistaken += bool((called_MS & ~low_MS).any())
        names = [str(m) for m in np.flatnonzero(called_MS.any(axis=1))]
        ranks = compare_all_pairs(values, generator, collapsed=names).ranks()
        apart += max(best for best, _ in ranks.values()) > 1
    return found / max(fallen, 1), mistaken / studies, apart / studies


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


def accuracy_rows() -> Iterator[list[str]]:
    """Yield the coverage of one arm's accuracy over seeds and samples."""
    for accuracy in (0.05, 0.1, 0.3, 0.9, 0.95):
        for problems in (30, 40, 256, 500):
            shares = [
                accuracy_coverage(accuracy, problems, samples, seeds)
                for seeds in (3, 5, 10)
                for samples in (1, 8, 32)
            ]
            yield [f"{100 * accuracy:g}", str(problems), *percent(*shares)]


def aggregate_rows() -> Iterator[list[str]]:
    """Yield the coverage of the probability of improvement."""
    for seeds in (3, 5, 10):
        yield [str(seeds), *percent(*aggregate_coverage(seeds))]


def power_rows() -> Iterator[list[str]]:
    """Yield the power that the formula says, and what is found."""
    for design in DESIGNS:
        shares = percent(*power(*design))
        yield [*map(str, design[:3]), f"{100 * design[3]:g}", *shares]


def collapse_rows() -> Iterator[list[str]]:
    """Yield what becomes of seeds that collapse."""
    for seeds in (3, 5, 10):
        for chance in (0.0, 0.1):
            yield [str(seeds), f"{100 * chance:g}", *percent(*collapses(seeds, chance))]


def sections() -> dict[str, tuple[str, str, Rows]]:
    """Return by name each section: its words, the head of its table, and its rows, in order."""
    import coverage_arms as arms
    import coverage_searches as searches

    columns = " | ".join(f"S = {s}, k = {k}" for s in (3, 5, 10) for k in (1, 8, 32))
    apart = "S = 3 | S = 5 | S = 10 | falls short by | says | rates at the end"
    return {
        "main": (
            _HEAD,
            "seeds | problems | the truth meant | mean | difference | "
            "mean, of the method | difference, of the method",
            main_rows,
        ),
        "edges": (_EDGES, "SD of seeds, points | seeds | problems | mean | difference", edge_rows),
        "findings": (
            _FINDINGS,
            "seeds move | seeds | in the ranking | against one method | power in the ranking",
            finding_rows,
        ),
        "aggregates": (
            _AGGREGATES,
            "seeds | probability of improvement | no interval",
            aggregate_rows,
        ),
        "power": (
            _POWER,
            "seeds | problems | samples | difference, points | formula | simulated",
            power_rows,
        ),
        "searches": (
            _SEARCHES,
            "a decade off costs, points | seeds | one search seed, its best score | not counted | "
            "counted | falls short by | says",
            searches.search_rows,
        ),
        "responses": (_RESPONSES, f"response | {apart}", searches.response_rows),
        "rules": (_RULES, f"rule | {apart}", searches.rule_rows),
        "accuracies": (_ACCURACIES, f"accuracy, % | problems | {columns}", accuracy_rows),
        "levels": (
            _LEVELS,
            "one arm scatters, times | seeds | at .05 | at .05 / 9 | at .05 / 78 | "
            "any of 13 found, %",
            arms.size_rows,
        ),
        "collapses": (
            _COLLAPSES,
            "seeds | collapse, % | found | a wrong one | two arms told apart",
            collapse_rows,
        ),
        "leader": (
            _LEADER,
            "SD of true means, points | seeds | optimistic by, points | said | its interval covers "
            "| without what is said",
            arms.leader_rows,
        ),
        "chances": (
            _CHANCES,
            "arms | seeds | SD of true means, errors | times | said, % | right, %",
            arms.chance_rows,
        ),
    }


def main(out: Path, *only: str) -> None:
    """Measure and write the page, or some of its sections and leave the others as they stand."""
    known = sections()
    if unknown := set(only) - known.keys():
        sys.exit(f"no section {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    standing = _standing(out) if only else {}
    with ProcessPoolExecutor(usable_cores(), multiprocessing.get_context("spawn")) as pool:
        measured = {pool.submit(measure, name): name for name in only or known}
        for done in as_completed(measured):
            section, seconds = done.result()
            standing[_title(section)] = section
            in_order = [standing.get(_title(words), "") for words, *_ in known.values()]
            out.write_text("\n\n".join(filter(None, in_order)) + "\n", encoding="utf-8")
            print(f"{measured[done]}: {seconds / 60:.1f} minutes of a core", flush=True)


def measure(name: str) -> tuple[str, float]:
    """Return a section with its table, and the CPU seconds that it took."""
    begin = process_time()
    words, head, rows = sections()[name]
    return f"{words}\n\n{table(head, rows())}", process_time() - begin


def _standing(page: Path) -> dict[str, str]:
    """Return the sections of a page by their title."""
    parts = re.split(r"\n\n(?=## )", page.read_text("utf-8").strip())
    return {_title(part): part for part in parts}


def _title(section: str) -> str:
    return section.partition("\n")[0]


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
points, some methods' by more or less. `compare_all_pairs` compares all pairs, `paired_differences`
all with one of them; both with Holm's correction at 5 %. The last column is no error: a method that
moves by the SD itself is better by 10 points there, and is told from another that does."""

_AGGREGATES = """## Probability of improvement over five tasks

Seeds alone are chance here. Two seeds get no interval. Where every seed of the one beats every
seed of the other on every task, there is no spread to judge by and no interval is given."""

_POWER = """## Power

A paired difference at 5 % two-sided, seeds' SD 1 point. The formula takes the degrees of freedom
that are expected; the two agree within 5 in 100."""


_SEARCHES = """## Two methods that are equal at their best learning rates

How often a paired test at 5 % tells them apart, 400 studies each. Each method's score
falls by a parabola over the log10 of the rate, from a best rate anywhere within half a decade of
the middle of five rates half a decade apart; seeds move it by SD 1.5 points. Columns: the best
score of one search seed wins, and the search is not counted; the search of the fair protocol with
3 seeds, not counted; and counted, as reports do. The last two are root mean squares,
in points: what the chosen rate falls short of the best one, and what the search says of that."""


_ACCURACIES = """## Low and high accuracies

How often the interval of one arm's accuracy covers it, 1,000 studies a cell, so that a true 95
shows as 93.6 to 96.4. Seeds' SD is 1 point, or a quarter of E[p (1 - p)] where that is less.
They are too wide, 97 to 99, with one sample a problem and 3 or 5 seeds on 30 or 40 problems."""

_LEVELS = """## Changes from the base at small levels

Size over level where 13 arms do not change and seeds alone are chance, with the noise that the arms
tell together (`noise_of_arms`) and the floor of their own seeds (`mean_tests`); 2,000 studies. One
arm's seeds may scatter more than the others'. At .05 / 78 a true 1 shows as 0.5 to 1.5. The last
column is what is promised, at 5 %: how often any of the 13 is found to change, corrected by
Holm."""

_COLLAPSES = f"""## Seeds that collapse

{METHODS} equal arms, seeds' SD {100 * SEED_SD:g} points; a seed falls by 20 points with a chance.
In percent: of these seeds, those that `collapsed_seeds` finds; of 200 studies, those where it calls
another seed so, and those where any two arms are told apart."""

_RESPONSES = """## Where the response to the rate is no parabola

Two methods that are equal at their best rates, each searched with 3 seeds, told apart by 3, 5 and
10 fresh seeds, percent of 200 studies, so that a true 6 shows as 2.6 to 9.4. What a rate loses that
lies u decades above the best one: a parabola of 12 points a decade; the same with a fall of 40
points a tenth of a decade above the best; a ramp of 4 points a decade that ends in such a fall;
nothing within half a decade; two tops 1.2 decades apart, the second a point lower; and a top of 3
points that is half gone an eighth of a decade away. The grid's rates are half a decade apart."""

_RULES = """## Searches that would be cheaper

The same on the parabola, 100 studies. A search that begins with the three middle rates and goes on
only at an edge that leads scores fewer rates."""

_LEADER = """## The leader

13 arms on 256 problems with 8 samples, seeds' SD 1.5 points, 100 studies a row. How far the
highest score lies above the truth of its arm, beside what all arms have in common, and what
`posterior` says of that; and how often the leader's 95 % interval covers its truth, as it stands
and moved down by what is said."""

_CHANCES = """## The chance of being best

Where the best arm is called so with a chance of 90 % and more: how often in 200 studies, the mean
chance that is said, and how often it is right. True means scatter by that many standard errors of
an arm's mean."""


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
