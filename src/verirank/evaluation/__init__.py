"""Avg@k, Pass@k and maj@k of a policy or a model, from sampled answers."""

from verirank.evaluation._evaluate import evaluate
from verirank.evaluation._retention import measure_retention
from verirank.evaluation._samples import sample_bench, sample_training_problems
from verirank.evaluation._scores import score, without_overlap

__all__ = [
    "evaluate",
    "measure_retention",
    "sample_bench",
    "sample_training_problems",
    "score",
    "without_overlap",
]
