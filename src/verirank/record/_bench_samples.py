"""A run's evaluation samples as arrays, before and after training on the same problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from verirank.record._run import Run
from verirank.record._samples import (
    SamplesIncompleteError,
    correct_PK,
    problem_groups,
    problem_ids,
    read_stages,
)

_SCORED = ("problem", "sample", "correct")


@dataclass(frozen=True)
class BenchSamples:
    """Which samples of one run and bench are right, P problems x K samples, boolean."""

    problems: tuple[str, ...]
    before_PK: NDArray[np.bool_]
    after_PK: NDArray[np.bool_]
    groups: tuple[str, ...] | None = None
    """The group of each problem; None where problems have none."""


def bench_samples(run: Run, bench: str) -> BenchSamples:
    """Read which samples are right before and after training, on the same problems.

    Raises:
        SamplesIncompleteError: a stage is absent, a sample is missing or double, or problems
            differ.
    """
    tables = read_stages(run.bench_file(bench), ("before", "after"), _SCORED, ("group",))
    (before, before_PK), (after, after_PK) = (
        _scored(samples, f"{bench}, {stage} training")
        for samples, stage in zip(tables, ("before", "after"), strict=True)
    )
    if before != after:
        raise SamplesIncompleteError(f"{bench}: problems before and after training differ")
    return BenchSamples(after, before_PK, after_PK, problem_groups(tables[1]))


def _scored(samples: pa.Table, where: str) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    try:
        return problem_ids(samples), correct_PK(samples)
    except SamplesIncompleteError as error:
        raise SamplesIncompleteError(f"{where}: {error}") from None
