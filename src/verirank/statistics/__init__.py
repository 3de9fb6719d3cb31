"""Scores, intervals, comparisons, power and claims: arrays in, numbers out."""

from verirank.statistics._accuracy import accuracy_interval, accuracy_intervals
from verirank.statistics._aggregate import (
    FEWEST_SEEDS,
    Estimate,
    probability_of_improvement,
)
from verirank.statistics._all_pairs import AllPairs, Pair, compare_all_pairs
from verirank.statistics._bench_power import Prospect, prospect, usual_accuracy
from verirank.statistics._bits import bits_learnt
from verirank.statistics._bootstrap import (
    Interval,
    bootstrap_mean,
    bootstrap_means,
    fixed_generator,
    own_noise,
    variance_of_the_mean,
)
from verirank.statistics._claim import Claim, Outcome, judge_runs
from verirank.statistics._collapse import collapsed_seeds
from verirank.statistics._comparison import (
    paired_difference,
    paired_differences,
)
from verirank.statistics._difficulty import Difficulty
from verirank.statistics._holm import holm
from verirank.statistics._macro import macro_accuracies, macro_average
from verirank.statistics._mean_tests import MeanTests, mean_tests
from verirank.statistics._noise import (
    ALPHA,
    EQUALITY_MARGIN,
    Design,
    Noise,
    detectable,
)
from verirank.statistics._posterior import Posterior, posterior
from verirank.statistics._power import Assumptions, Needed, needed
from verirank.statistics._ratio import Ratio, ratio_of_means
from verirank.statistics._scores import accuracies, avg_at_k, maj_at_k, pass_at_k
from verirank.statistics._search_noise import UNSEARCHED, SearchNoise
from verirank.statistics._seed_noise import (
    SeedNoise,
    independent_pairs,
    moderated,
    noise_of_arms,
    noise_of_differences,
)
from verirank.statistics._simulation import SimulatedStudies, StudyModel
from verirank.statistics._standing import own_variances, standing_order, without_contradictions
from verirank.statistics._units import by_group, by_groups
from verirank.statistics.races import (
    Look,
    RaceDecision,
    RaceDesign,
    decide,
    expected_runs,
)
from verirank.statistics.searches import FinalScores, surely_worse

__all__ = [
    "ALPHA",
    "EQUALITY_MARGIN",
    "FEWEST_SEEDS",
    "UNSEARCHED",
    "AllPairs",
    "Assumptions",
    "Claim",
    "Design",
    "Difficulty",
    "Estimate",
    "FinalScores",
    "Interval",
    "Look",
    "MeanTests",
    "Needed",
    "Noise",
    "Outcome",
    "Pair",
    "Posterior",
    "Prospect",
    "RaceDecision",
    "RaceDesign",
    "Ratio",
    "SearchNoise",
    "SeedNoise",
    "SimulatedStudies",
    "StudyModel",
    "accuracies",
    "accuracy_interval",
    "accuracy_intervals",
    "avg_at_k",
    "bits_learnt",
    "bootstrap_mean",
    "bootstrap_means",
    "by_group",
    "by_groups",
    "collapsed_seeds",
    "compare_all_pairs",
    "decide",
    "detectable",
    "expected_runs",
    "fixed_generator",
    "holm",
    "independent_pairs",
    "judge_runs",
    "macro_accuracies",
    "macro_average",
    "maj_at_k",
    "mean_tests",
    "moderated",
    "needed",
    "noise_of_arms",
    "noise_of_differences",
    "own_noise",
    "own_variances",
    "paired_difference",
    "paired_differences",
    "pass_at_k",
    "posterior",
    "probability_of_improvement",
    "prospect",
    "ratio_of_means",
    "standing_order",
    "surely_worse",
    "usual_accuracy",
    "variance_of_the_mean",
    "without_contradictions",
]
