"""Avg@k, Pass@k and maj@k of a policy or a model, from sampled answers."""

from verirank.evaluation._evaluate import evaluate
from verirank.evaluation._samples import read_samples, sample_bench, write_samples
from verirank.evaluation._scores import score

__all__ = ["evaluate", "read_samples", "sample_bench", "score", "write_samples"]
