"""A run's evaluation samples as arrays, before and after training on the same problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from verirank.record import (
    Run,
    SamplesIncompleteError,
    correct_PK,
    problem_ids,
    read_samples,
)

_SCORED = ("problem", "sample", "correct")


@dataclass(frozen=True)
class BenchSamples:
    """Which samples of one run and bench are right, P problems x K samples, boolean."""

    problems: tuple[str, ...]
    before_PK: NDArray[np.bool_]
    after_PK: NDArray[np.bool_]


def bench_samples(run: Run, bench: str) -> BenchSamples:
    """Read which samples are right before and after training, on the same problems.

    Raises:
        SamplesIncompleteError: a stage is absent, a sample is missing or double, or problems
            differ.
    """
    before, before_PK = _stage(run, bench, "before")
    after, after_PK = _stage(run, bench, "after")
    if before != after:
        raise SamplesIncompleteError(f"{bench}: problems before and after training differ")
    return BenchSamples(after, before_PK, after_PK)


def _stage(run: Run, bench: str, stage: str) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    samples: pa.Table = read_samples(run.bench_file(bench), stage, _SCORED)
    try:
        return problem_ids(samples), correct_PK(samples)
    except SamplesIncompleteError as error:
        raise SamplesIncompleteError(f"{bench}, {stage} training: {error}") from None
