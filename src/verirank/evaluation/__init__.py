"""Avg@k, Pass@k and maj@k of a policy or a model, from sampled answers."""

from verirank.evaluation._evaluate import evaluate
from verirank.evaluation._retention import measure_retention
from verirank.evaluation._samples import sample_bench, sample_training_problems
from verirank.evaluation._scores import score, without_overlap
from verirank.evaluation._votes import votes_by_text, votes_by_value

__all__ = [
    "evaluate",
    "measure_retention",
    "sample_bench",
    "sample_training_problems",
    "score",
    "votes_by_text",
    "votes_by_value",
    "without_overlap",
]
