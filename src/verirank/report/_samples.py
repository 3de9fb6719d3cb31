"""A run's evaluation samples as arrays, refused where a sample is missing or counted twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verirank.report._runs import Run

STAGES = ("before", "after")


class Unscorable(Exception):
    """The run cannot be scored; the message says why, for the list of runs not scored."""


@dataclass(frozen=True)
class BenchSamples:
    """Which samples of one run and bench are right, P problems x K samples, boolean."""

    problems: tuple[str, ...]
    before_PK: NDArray[np.bool_]
    after_PK: NDArray[np.bool_]


def bench_samples(run: Run, bench: str) -> BenchSamples:
    """Read which samples are right before and after training, on the same problems.

    Raises:
        Unscorable: a stage is absent, a sample is missing or double, or problems differ.
    """
    stages = {stage: _stage(run, bench, stage) for stage in STAGES}
    (before, before_PK), (after, after_PK) = stages["before"], stages["after"]
    if before != after:
        raise Unscorable(f"{bench}: problems before and after training differ")
    return BenchSamples(after, before_PK, after_PK)


def _stage(run: Run, bench: str, stage: str) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    table = run.samples(bench, ["stage", "problem", "sample", "correct"])
    rows = [row for row in table.to_pylist() if row["stage"] == stage]
    if not rows:
        raise Unscorable(f"{bench}: no samples from {stage} training")
    problems = tuple(sorted({row["problem"] for row in rows}))
    k = 1 + max(row["sample"] for row in rows)
    cells = {(row["problem"], row["sample"]): row["correct"] for row in rows}
    if not len(rows) == len(cells) == len(problems) * k or None in cells.values():
        raise Unscorable(
            f"{bench}: {len(rows)} samples {stage} training, expected "
            f"{len(problems)} problems x {k}, each once and judged"
        )
    correct = [[cells[problem, sample] for sample in range(k)] for problem in problems]
    return problems, np.array(correct, dtype=np.bool_)
