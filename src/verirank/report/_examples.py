"""What the best method learned, in the model's own words."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

from verirank.record import Run
from verirank.report.leaderboard import Leaderboard

LONGEST = 600
_COLUMNS = ["stage", "problem", "correct", "completion"]


@dataclass(frozen=True)
class Example:
    """One problem with a wrong completion from before training and a right one from after.

    `rate_before` and `rate_after` are shares of the problem's samples that are right.
    """

    problem: str
    rate_before: float
    rate_after: float
    before: str
    after: str


def best_examples(board: Leaderboard, most: int = 3) -> list[Example]:
    """Return the problems that the best method's first run improved on most."""
    best = board.main[0]
    run = next(arm for arm in board.arms if arm.label == best.label).runs[0]
    examples = _examples(run, best.bench)
    return sorted(examples, key=lambda e: (e.rate_before - e.rate_after, e.problem))[:most]


def _examples(run: Run, bench: str) -> list[Example]:
    samples: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in pq.read_table(run.bench_file(bench), columns=_COLUMNS).to_pylist():
        samples[row["problem"], row["stage"]].append(row)
    found = []
    for problem in {problem for problem, _ in samples}:
        before, after = samples[problem, "before"], samples[problem, "after"]
        wrong = [row["completion"] for row in before if not row["correct"]]
        right = [row["completion"] for row in after if row["correct"]]
        if wrong and right:
            found.append(
                Example(problem, _rate(before), _rate(after), _cut(wrong[0]), _cut(right[0]))
            )
    return found


def _rate(rows: list[dict[str, Any]]) -> float:
    return fmean(row["correct"] for row in rows)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
