"""Scores, intervals, paired comparisons and rankings: arrays in, numbers out."""

from verirank.statistics._bootstrap import (
    Interval,
    SeedNoise,
    bootstrap_accuracy,
    bootstrap_mean,
)
from verirank.statistics._comparison import Standing, holm, paired_difference, rank_with_ties
from verirank.statistics._scores import avg_at_k, maj_at_k, pass_at_k

__all__ = [
    "Interval",
    "SeedNoise",
    "Standing",
    "avg_at_k",
    "bootstrap_accuracy",
    "bootstrap_mean",
    "holm",
    "maj_at_k",
    "paired_difference",
    "pass_at_k",
    "rank_with_ties",
]
