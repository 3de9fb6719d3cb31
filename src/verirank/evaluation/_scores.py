"""From samples to the scores in eval.json."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from verirank.record import answers_PK, correct_PK
from verirank.statistics import avg_at_k, bootstrap_accuracy, maj_at_k, pass_at_k

_BOOTSTRAP_SEED = 0


def score(samples: pa.Table) -> dict[str, float | int]:
    """Return Avg@k with its 95 % interval over problems and samples, Pass@k and maj@k.

    Args:
        samples: of one bench and one stage, as `sample_bench` returns them.
    """
    correct = correct_PK(samples)
    n, k = correct.shape
    interval = bootstrap_accuracy(correct[None], np.random.default_rng(_BOOTSTRAP_SEED))
    return {
        "avg_at_k": avg_at_k(correct),
        "low": interval.low,
        "high": interval.high,
        "pass_at_k": pass_at_k(correct, k),
        "maj_at_k": maj_at_k(answers_PK(samples), correct),
        "k": k,
        "n": n,
    }


def without_overlap(
    samples: pa.Table, overlapping: Collection[str]
) -> dict[str, float | int] | None:
    """Return `score` over the problems that do not stand in the training set.

    Args:
        samples: of one bench and one stage.
        overlapping: the ids of those that do; where none was sampled, the answer is None, and so
            it is where fewer than two others remain.
    """
    if not set(overlapping).intersection(samples["problem"].to_pylist()):
        return None
    clean = samples.filter(pc.invert(pc.is_in(samples["problem"], pa.array(sorted(overlapping)))))  # type: ignore[reportAttributeAccessIssue]
    return score(clean) if len(set(clean["problem"].to_pylist())) > 1 else None
