"""The outcome of each run: learned, collapsed, diverged and so on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from verirank.ranking.arms import ArmRuns, NotScored
from verirank.record import BenchSamples, Curve, Run, mean_recorded, of_each, trailing_mean
from verirank.statistics import Claim, Outcome, fixed_generator, judge_runs

_AT_ONCE = 500
"""Runs tested in one batch, which bounds the memory."""
_COULD_NOT_MOVE = 1e-3
_OUT_OF_TOKENS = 0.5
_COLLAPSED = 0.5

Fate = Literal[
    "learned", "did not learn", "could not move", "collapsed", "diverged", "ran out of tokens",
    "unfinished",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunFate:
    """The outcome of a run, named by its folder, with the evidence for it."""

    run: str
    label: str
    seed: int | None
    fate: Fate
    evidence: str


def fates(arms: Sequence[ArmRuns], not_scored: Sequence[NotScored], bench: str) -> list[RunFate]:
    """Return the outcome of every run on a sampled bench, runs that were not scored last.

    Runs with equal numbers of samples and equal groups of problems are tested in one batch; each
    has a test of its own.
    """
    runs = [
        (arm.label, run, curve, samples)
        for arm in arms
        if bench in arm.samples
        for run, curve, samples in zip(arm.runs, arm.curves, arm.samples[bench], strict=True)
        if run.seed not in arm.failed
    ]
    by_folder: dict[Path, RunFate] = {}
    ends = dict(
        zip(
            (run.folder for _, run, *_ in runs),
            of_each([curve for *_, curve, _ in runs], _ends),
            strict=True,
        )
    )
    for some in _alike(runs):
        after_SPK, before_SPK = (
            np.stack([getattr(samples, stage) for *_, samples in some])
            for stage in ("after_PK", "before_PK")
        )
        generator = fixed_generator()
        changes = judge_runs(
            Claim("above", 0.0), after_SPK, before_SPK, generator, some[0][3].groups
        )
        for (label, run, *_), (outcome, change) in zip(some, changes, strict=True):
            points = f"{100 * change.mean:+.1f} points on {bench}"
            fate, evidence = _fate(ends[run.folder], outcome, points)
            by_folder[run.folder] = RunFate(run.folder.name, label, run.seed, fate, evidence)
    scored = [by_folder[run.folder] for _, run, *_ in runs]
    return scored + [_fate_of_unscored(run) for run in not_scored]


_Judged = tuple[str, Run, Curve, BenchSamples]


def _alike(runs: list[_Judged]) -> Iterator[list[_Judged]]:
    """Yield runs with as many samples before and after training, some at a time."""
    groups: dict[Any, list[_Judged]] = defaultdict(list)
    for one in runs:
        groups[one[3].before_PK.shape, one[3].after_PK.shape, one[3].groups].append(one)
    for group in groups.values():
        yield from (group[at : at + _AT_ONCE] for at in range(0, len(group), _AT_ONCE))


def _ends(curves: Curve) -> NDArray[np.float64]:
    """Return what tells R runs' fates, means over a tenth of their steps, R x 4.

    It is the fraction of completions cut off at the end, that of weights moved, the best reward,
    and the reward at the end.
    """
    window = max(1, curves.reward_T.shape[-1] // 10)
    rewards_RT = trailing_mean(curves.reward_T, window)[:, window - 1 :]
    columns = (
        mean_recorded(curves.truncated_T[:, -window:]),
        mean_recorded(curves.moved_T[:, -window:]),
        rewards_RT.max(axis=1, initial=0.0),
        mean_recorded(curves.reward_T[:, -window:]),
    )
    return np.stack(columns, axis=1)


def _fate(ends: Sequence[float | None], outcome: Outcome, points: str) -> tuple[Fate, str]:
    """Return the first outcome that the record shows, with its evidence."""
    truncated, moved, best, reward = ends
    best, reward = best or 0.0, reward or 0.0
    if outcome == "supported":
        return "learned", points
    if moved is not None and moved < _COULD_NOT_MOVE:
        moved_text = f"{100 * moved:.2g} % of the served weights moved by more than half a ULP"
        return "could not move", f"{moved_text}; {points}"
    if truncated is not None and truncated > _OUT_OF_TOKENS:
        return "ran out of tokens", f"{100 * truncated:.0f} % cut off at the end; {points}"
    if outcome == "contradicted" or reward < _COLLAPSED * best:
        return "collapsed", f"reward {best:.2f} at best, {reward:.2f} at the end; {points}"
    return "did not learn", points


def _fate_of_unscored(run: NotScored) -> RunFate:
    fate: Fate = "diverged" if run.failure_kind == "diverged" else "unfinished"
    return RunFate(Path(run.folder).name, run.method, run.seed, fate, run.reason)
