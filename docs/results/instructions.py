"""Hold the trials of two quickstarts against each other, which ran on other CPU instructions.

    python docs/results/instructions.py DEFAULT OTHER

Prints a table: each method's score in both, how many completions are equal, before training and
after it, and the first training step with another completion.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from tables import table

from verirank.record import Run, find_runs, read_all_rollouts, read_samples


def main(one: Path, other: Path) -> None:
    """Print the table of the trials that both folders hold."""
    others = {run.folder.name: run for run in runs_in(other)}
    pairs = [(run, others[run.folder.name]) for run in runs_in(one) if run.folder.name in others]
    print(
        table("method | score, % | other, % | equal before | equal after | step", map(row, pairs))
    )


def runs_in(folder: Path) -> list[Run]:
    """Return the runs of a quickstart that are done."""
    return [run for run in find_runs([folder]) if run.status == "done"]


def row(pair: tuple[Run, Run]) -> list[str]:
    """Return a method's line."""
    scores = [100 * fmean(s["avg_at_k"] for s in run.scores.values()) for run in pair]
    equal = [f"{100 * equal_completions(*pair, stage):.1f} %" for stage in ("before", "after")]
    return [pair[0].method, *(f"{score:.1f}" for score in scores), *equal, first_other_step(*pair)]


def equal_completions(one: Run, other: Run, stage: str) -> float:
    """Return the fraction of a stage's samples whose completions are the same in both runs."""
    pairs = zip(*(texts_of(run, stage) for run in (one, other)), strict=True)
    return fmean(a == b for a, b in pairs)


def texts_of(run: Run, stage: str) -> list[str]:
    """Return the completions of a stage on every bench."""
    tables = [read_samples(run.bench_file(bench), stage, ["completion"]) for bench in run.benches]
    return [text for table in tables for text in table["completion"].to_pylist()]


def first_other_step(one: Run, other: Run) -> str:
    """Return the first step of training with another completion, or that there is none."""
    pairs = zip(*(map(drawn, read_all_rollouts(run)) for run in (one, other)), strict=False)
    return next((str(a[0]) for a, b in pairs if a != b), "none")


def drawn(completion: Mapping[str, Any]) -> tuple[int, str]:
    """Return the step and the text of a training completion."""
    return completion["step"], completion["completion"]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
