"""Run the same simulated studies through other tools' statistics and ours, and write what they say.

    make peers
    PYTHONPATH=.venv/peers python benchmarks/peers.py --out docs/results/peers.md

The studies are those of docs/results/race.py: thirteen methods, 256 problems with 8 samples. Each
tool is used as its authors show it.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from verirank.statistics import RaceDesign, compare_all_pairs, holm


def _races() -> ModuleType:
    """Return docs/results/race.py; that folder on the path would hide the package `coverage`."""
    script = Path(__file__).parents[1] / "docs" / "results" / "race.py"
    spec = importlib.util.spec_from_file_location("simulated_races", script)
    assert spec is not None and spec.loader is not None
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_RACES = _races()
METHODS, Scene, race = _RACES.METHODS, _RACES.Scene, _RACES.race
Floats = NDArray[np.float64]
SEEDS, STUDIES, RESAMPLES = (3, 5, 10), 60, 2000
FEWER = 6
"""Slow tools get one study in so many, and rliable one resample."""
FIRST_N, SECOND_N = np.triu_indices(METHODS, k=1)
CLEAR = 0.04
"""Methods whose true means are further apart should be told apart."""


@dataclass(frozen=True)
class Said:
    """What a tool says of all pairs: which are told apart, and an interval of each difference."""

    apart_N: NDArray[np.bool_]
    low_N: Floats | None = None
    high_N: Floats | None = None


def ours(values_MSP: Floats, generator: np.random.Generator) -> Said:
    """Return the ranking of a leaderboard: all pairs, corrected by Holm."""
    found = compare_all_pairs({str(m): one for m, one in enumerate(values_MSP)}, generator)
    pairs = [found.pair(str(a), str(b)) for a, b in zip(FIRST_N, SECOND_N, strict=True)]
    return Said(
        np.array([pair.resolved != 0 for pair in pairs if pair]),
        np.array([pair.low for pair in pairs if pair]),
        np.array([pair.high for pair in pairs if pair]),
    )


def welch(values_MSP: Floats, generator: np.random.Generator) -> Said:
    """Return Welch's t-tests of the seeds' means, corrected by Holm."""
    means_MS = values_MSP.mean(axis=2)
    found: Any = stats.ttest_ind(means_MS[FIRST_N], means_MS[SECOND_N], axis=1, equal_var=False)
    bounds = found.confidence_interval()
    return Said(holm(found.pvalue) <= 0.05, bounds.low, bounds.high)


def paired_bootstrap(values_MSP: Floats, generator: np.random.Generator) -> Said:
    """Return the percentile bootstrap of seeds, paired, corrected by Holm."""
    means_MS = values_MSP.mean(axis=2)
    seeds = means_MS.shape[1]
    drawn_RS = generator.integers(seeds, size=(RESAMPLES, seeds))
    resampled_MR = means_MS[:, drawn_RS].mean(axis=2)
    return _of_resamples(resampled_MR[FIRST_N] - resampled_MR[SECOND_N])


def problem_bootstrap(values_MSP: Floats, generator: np.random.Generator) -> Said:
    """Return the percentile bootstrap of problems alone, paired, corrected by Holm."""
    means_MP = values_MSP.mean(axis=1)
    problems = means_MP.shape[1]
    weight_RP = generator.multinomial(problems, np.full(problems, 1 / problems), RESAMPLES)
    resampled_MR = means_MP @ weight_RP.T / problems
    return _of_resamples(resampled_MR[FIRST_N] - resampled_MR[SECOND_N])


def _of_resamples(differences_NR: Floats) -> Said:
    below_N = (differences_NR <= 0).mean(axis=1)
    p_N = np.minimum(1.0, 2 * np.minimum(below_N, 1 - below_N) + 1 / RESAMPLES)
    low_N, high_N = np.quantile(differences_NR, (0.025, 0.975), axis=1)
    return Said(holm(p_N) <= 0.05, low_N, high_N)


def mixed_model(values_MSP: Floats, generator: np.random.Generator) -> Said:
    """Return statsmodels' linear mixed model of the seeds' means, a seed being a random effect."""
    import pandas as pd
    import statsmodels.formula.api as smf  # pyright: ignore[reportMissingImports]  # of make peers

    means_MS = values_MSP.mean(axis=2)
    arm_M, seed_S = np.indices(means_MS.shape)
    frame = pd.DataFrame({"y": means_MS.ravel(), "arm": arm_M.ravel(), "seed": seed_S.ravel()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of seeds that is 0, which is the truth here
        fitted: Any = smf.mixedlm("y ~ 0 + C(arm)", frame, groups=frame["seed"]).fit()
    effect_M = np.asarray(fitted.fe_params)
    covariance_MM = np.asarray(fitted.cov_params())[:METHODS, :METHODS]
    variance_M = np.diagonal(covariance_MM)
    variance_N = variance_M[FIRST_N] + variance_M[SECOND_N] - 2 * covariance_MM[FIRST_N, SECOND_N]
    difference_N, error_N = effect_M[FIRST_N] - effect_M[SECOND_N], np.sqrt(variance_N)
    half_N = stats.norm.ppf(0.975) * error_N
    p_N = 2 * stats.norm.sf(np.abs(difference_N) / error_N)
    return Said(holm(p_N) <= 0.05, difference_N - half_N, difference_N + half_N)


def rliable_iqm(values_MSP: Floats, generator: np.random.Generator) -> Said:
    """Return rliable's intervals of the interquartile mean; apart are two that do not overlap."""
    from rliable import library, metrics  # pyright: ignore[reportMissingImports]

    scores = {str(m): one.mean(axis=1)[:, None] for m, one in enumerate(values_MSP)}

    def iqm(scores_ST: Floats) -> Floats:
        return np.array([metrics.aggregate_iqm(scores_ST)])

    drawn = np.random.RandomState(generator.integers(2**31))
    _, bounds = library.get_interval_estimates(
        scores, iqm, reps=RESAMPLES // FEWER, random_state=drawn
    )
    low_M, high_M = np.array([bounds[str(m)][:, 0] for m in range(METHODS)]).T
    return Said((low_M[FIRST_N] > high_M[SECOND_N]) | (low_M[SECOND_N] > high_M[FIRST_N]))


TOOLS: dict[str, Callable[[Floats, np.random.Generator], Said]] = {
    "VeriRank, all pairs": ours,
    "Welch on seeds' means, Holm": welch,
    "bootstrap of seeds, paired, Holm": paired_bootstrap,
    "bootstrap of problems, paired, Holm": problem_bootstrap,
    "statsmodels, mixed model of seeds' means, Holm": mixed_model,
    "rliable, stratified bootstrap of IQM, intervals apart": rliable_iqm,
}


SLOW = {
    "statsmodels, mixed model of seeds' means, Holm",
    "rliable, stratified bootstrap of IQM, intervals apart",
}


class Counts:
    """What one tool said over some studies."""

    def __init__(self) -> None:
        """Begin without a study."""
        self.false, self.wrong = list[bool](), list[bool]()
        self.told, self.covered = list[float](), list[float]()

    def add(self, tool: str, equal_MSP: Floats, effect_M: Floats, values_MSP: Floats) -> None:
        """Run equal methods, and methods with these true effects, through a tool."""
        ask = TOOLS[tool]
        self.false.append(bool(ask(equal_MSP, np.random.default_rng(0)).apart_N.any()))
        said = ask(values_MSP, np.random.default_rng(0))
        true_N = effect_M[FIRST_N] - effect_M[SECOND_N]
        mean_M = values_MSP.mean(axis=(1, 2))
        sign_N = np.sign(mean_M[FIRST_N] - mean_M[SECOND_N])
        self.told.append(float(said.apart_N[np.abs(true_N) >= CLEAR].mean()))
        self.wrong.append(bool((said.apart_N & (sign_N != np.sign(true_N))).any()))
        if said.low_N is not None and said.high_N is not None:
            self.covered.append(float(np.mean((said.low_N <= true_N) & (true_N <= said.high_N))))

    def cells(self) -> list[str]:
        """Return the shares in percent, and the number of studies."""
        shares = [self.false, self.told, self.wrong, self.covered]
        text = [f"{100 * float(np.mean(one)):.1f}" if one else "" for one in shares]
        return [*text, str(len(self.told))]


def rows(studies: int) -> Iterator[list[str]]:
    """Yield a row a number of seeds and tool; all tools get the same studies."""
    for seeds in SEEDS:
        generator = np.random.default_rng(seeds)
        found = {tool: Counts() for tool in TOOLS}
        for study in range(studies):
            _, equal_MSP = Scene(0.0).draw(generator, seeds)
            effect_M, values_MSP = Scene(0.04).draw(generator, seeds)
            for tool, counts in found.items():
                if tool not in SLOW or study % FEWER == 0:
                    counts.add(tool, equal_MSP, effect_M, values_MSP)
        for tool, counts in found.items():
            yield [str(seeds), tool, *counts.cells()]


def spent(studies: int) -> Iterator[list[str]]:
    """Yield what a fixed design of 12 seeds and a race spend, and how many they tell apart."""
    design = RaceDesign(margin=0.01)
    for spread in (0.02, 0.04):
        generator = np.random.default_rng(round(1e4 * spread))
        runs, behind = list[int](), list[int]()
        told: dict[str, list[int]] = {tool: [] for tool in TOOLS if tool not in SLOW}
        for _ in range(studies):
            _, values_MSP = Scene(spread).draw(generator, design.looks[-1])
            decision, trained = race(values_MSP, design)
            runs.append(trained)
            behind.append(len(decision.behind))
            leader = int(values_MSP.mean(axis=(1, 2)).argmax())
            of_leader_N = (leader == FIRST_N) | (leader == SECOND_N)
            for tool in told:
                apart_N = TOOLS[tool](values_MSP, np.random.default_rng(0)).apart_N
                told[tool].append(int(apart_N[of_leader_N].sum()))
        everything, points = METHODS * design.looks[-1], f"{100 * spread:g}"
        yield [points, "VeriRank, race", f"{np.mean(runs):.0f}", f"{np.mean(behind):.1f}"]
        for tool, found in told.items():
            yield [points, tool, f"{everything}", f"{np.mean(found):.1f}"]


def table(heading: str, lines: Iterator[list[str]]) -> str:
    """Return a Markdown table."""
    rule = "|".join("---" for _ in heading.split("|"))
    return "\n".join([f"| {heading} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in lines)])


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=STUDIES)
    given = parser.parse_args()
    heading = "seeds | tool | equal methods told apart | clear differences told | a wrong direction"
    first = table(f"{heading} | intervals cover | studies", rows(given.studies))
    second = table(
        "SD of true means, points | tool | runs | told from the leader",
        spent(given.studies // FEWER),
    )
    head = HEAD.format(studies=given.studies, fewer=given.studies // FEWER)
    page = "\n\n".join([head, first, SPENT.format(fewer=given.studies // FEWER), second])
    given.out.write_text(page + "\n", "utf-8")


HEAD = """# Beside other tools' statistics

Written by `make peers` and
`PYTHONPATH=.venv/peers python benchmarks/peers.py --out docs/results/peers.md` from simulated
studies of 13 methods on 256 problems with 8 samples. Seeds move a method by 1.5 points (SD). In
percent:

- **equal methods told apart**: of studies of equal methods, those where any two are called
  different. 5 is what Holm's correction promises; a true 5 shows as 0 to 11 of {studies} studies,
  and as 0 to 20 of {fewer}.
- **clear differences told**: where true means scatter by 4 points (SD), of the pairs that are 4
  points or more apart, those that are told apart.
- **a wrong direction**: of these studies, those where any pair is called different the wrong way
  round.
- **intervals cover**: of all pairs there, those whose 95 % interval, not corrected, holds the true
  difference.

All tools get the same studies, slow ones every sixth. rliable shows intervals of each method's own
score, so two count as apart where these do not overlap; it is made for many tasks and few runs, and
takes the tasks as given. The mixed model, and in part VeriRank, take the seeds of all methods to
tell one noise; here they do, which is the case that favours a single variance most. Bootstraps of
few seeds, or of problems alone, tell equal methods apart in most studies."""

SPENT = """## Runs spent

A race looks after 3, 5, 8 and 12 seeds and stops methods that are told; the others train 12 seeds
of every method and compare then. How many of 12 methods are told from the leader, {fewer} studies
a row."""


if __name__ == "__main__":
    main()
