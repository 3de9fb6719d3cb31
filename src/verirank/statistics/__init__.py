"""Scores, intervals, comparisons, power and verdicts: arrays in, numbers out."""

from verirank.statistics._aggregate import (
    FEWEST_SEEDS,
    Estimate,
    interquartile_mean,
    probability_of_improvement,
)
from verirank.statistics._bench_power import Prospect, prospect, usual_accuracy
from verirank.statistics._bootstrap import (
    Interval,
    bootstrap_accuracy,
    bootstrap_mean,
    bootstrap_means,
    own_noise,
)
from verirank.statistics._comparison import (
    Standing,
    holm,
    paired_difference,
    paired_differences,
    rank_with_ties,
)
from verirank.statistics._difficulty import Difficulty
from verirank.statistics._macro import macro_average, macro_shares
from verirank.statistics._noise import Design, Noise, detectable
from verirank.statistics._power import Assumptions, Remedy, remedy
from verirank.statistics._resolution import detectable_differences
from verirank.statistics._scores import as_shares, avg_at_k, maj_at_k, pass_at_k
from verirank.statistics._seed_noise import SeedNoise, noise_of_differences
from verirank.statistics._simulation import SimulatedStudies, StudyModel
from verirank.statistics._verdict import (
    Claim,
    Outcome,
    Verdict,
    judge_accuracy,
    judge_difference,
    judge_runs,
)

__all__ = [
    "FEWEST_SEEDS",
    "Assumptions",
    "Claim",
    "Design",
    "Difficulty",
    "Estimate",
    "Interval",
    "Noise",
    "Outcome",
    "Prospect",
    "Remedy",
    "SeedNoise",
    "SimulatedStudies",
    "Standing",
    "StudyModel",
    "Verdict",
    "as_shares",
    "avg_at_k",
    "bootstrap_accuracy",
    "bootstrap_mean",
    "bootstrap_means",
    "detectable",
    "detectable_differences",
    "holm",
    "interquartile_mean",
    "judge_accuracy",
    "judge_difference",
    "judge_runs",
    "macro_average",
    "macro_shares",
    "maj_at_k",
    "noise_of_differences",
    "own_noise",
    "paired_difference",
    "paired_differences",
    "pass_at_k",
    "probability_of_improvement",
    "prospect",
    "rank_with_ties",
    "remedy",
    "usual_accuracy",
]
