"""Avg@k, Pass@k and maj@k of a policy or a model, from sampled answers."""

from verirank.evaluation._evaluate import evaluate
from verirank.evaluation._samples import sample_bench
from verirank.evaluation._scores import score, without_overlap

__all__ = ["evaluate", "sample_bench", "score", "without_overlap"]
