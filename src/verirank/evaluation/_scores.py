"""From samples to the scores in eval.json."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from verirank.record import correct_PK, problem_groups, votes_PK
from verirank.statistics import (
    accuracies,
    accuracy_intervals,
    avg_at_k,
    by_groups,
    maj_at_k,
    pass_at_k,
)
from verirank.tasks import Task
from verirank.verifier import UNVERIFIED


def score(samples: pa.Table, task: Task | None = None) -> dict[str, float | int]:
    """Return Avg@k with its 95 % interval over problems and samples, Pass@k and maj@k.

    Where problems have groups, the interval is over groups.

    `unverified` counts the samples that the verifier left undecided; they count as wrong.

    Args:
        samples: of one bench and one stage, as `sample_bench` returns them.
        task: adds its own measures.
    """
    correct, votes = correct_PK(samples), votes_PK(samples)
    n, k = correct.shape
    values_SP = by_groups(accuracies(correct[None]), problem_groups(samples))
    (interval,) = accuracy_intervals(values_SP[None])
    return {
        "avg_at_k": avg_at_k(correct),
        "low": interval.low,
        "high": interval.high,
        "pass_at_k": pass_at_k(correct, k),
        "maj_at_k": maj_at_k(votes, correct),
        "k": k,
        "n": n,
        "unverified": samples["reason"].to_pylist().count(UNVERIFIED),
        **(task.measured(correct.sum(1), _stated_P(votes)) if task else {}),
    }


def _stated_P(votes: list[list[int | None]]) -> NDArray[np.int64]:
    """Return of each problem how many samples state an answer."""
    return np.array([sum(vote is not None for vote in problem) for problem in votes])


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
