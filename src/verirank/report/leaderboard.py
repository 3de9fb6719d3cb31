"""The leaderboard: every method's score with its interval, its cost, and its rank with ties."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.config import InputError
from verirank.record import as_row, find_runs, write_csv, write_file
from verirank.report._arms import AVERAGE, Arm, NotScored, Stage, sort_runs
from verirank.report._run_index import RunIndex
from verirank.statistics import (
    Interval,
    avg_at_k,
    bootstrap_means,
    pass_at_k,
    rank_with_ties,
)

_BOOTSTRAP_SEED = 0
_STAGES: tuple[Stage, Stage] = ("before", "after")


@dataclass(frozen=True)
class Row:
    """One method on one bench; scores are shares of 1, means over the seeds.

    `low` and `high` bound the 95 % interval of `avg_at_k`, `change_low` and `change_high` that of
    the change from the base on the same problems; `change_p` is the p-value of no change. `rank` is
    1 + the number of methods that are significantly better, so equal ranks are ties; `ranked_seeds`
    is the number of seeds it compares, those that all methods of the bench share, and where that is
    0 there is no rank.
    On the average over benches, which stands first where there are several, scores are means over
    the benches, each counting alike; `k` is the least of theirs and `n` their problems together.
    `over` names what the intervals leave to chance; of one seed it is problems and samples only.
    `seconds` is the mean training time of a run and `peak_memory_bytes` the largest of any;
    `proven` tells that every run passed its checks.
    """

    method: str
    label: str
    bench: str
    rank: int | None
    tied_with_best: bool
    base_avg_at_k: float
    avg_at_k: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float
    change_p: float
    base_pass_at_k: float
    pass_at_k: float
    over: tuple[str, ...]
    k: int
    n: int
    seeds: int
    ranked_seeds: int
    learning_rate: float | None
    trainable_parameters: int
    total_parameters: int | None
    seconds: float
    peak_memory_bytes: int
    proven: bool

    @property
    def on(self) -> str:
        """What the scores are on, in words."""
        return "averaged over benches" if self.bench == AVERAGE else f"on {self.bench}"

    @property
    def without_width(self) -> bool:
        """Whether the interval of `avg_at_k` is a point: the samples leave nothing to resample."""
        return self.low == self.high


@dataclass(frozen=True)
class Leaderboard:
    """All rows, best first within each bench, the main bench first; and the runs left out."""

    rows: tuple[Row, ...]
    arms: tuple[Arm, ...]
    not_scored: tuple[NotScored, ...]

    @cached_property
    def benches(self) -> tuple[str, ...]:
        """Names of the benches; first the main one, which is the average over several."""
        return tuple(self._by_bench)

    @property
    def sampled(self) -> tuple[str, ...]:
        """The same without the average over them."""
        return tuple(bench for bench in self.benches if bench != AVERAGE)

    @property
    def averaged(self) -> tuple[str, ...]:
        """The benches that the average is over; none where there is no average."""
        return self.arms[0].averaged if AVERAGE in self.benches else ()

    @property
    def runs(self) -> int:
        """The number of runs that were scored."""
        return sum(len(arm.runs) for arm in self.arms)

    def of_bench(self, bench: str) -> list[Row]:
        """Return the rows of one bench, best first."""
        return self._by_bench.get(bench, [])

    @property
    def main(self) -> list[Row]:
        """The rows of the main bench, best first."""
        return self.of_bench(self.benches[0])

    def leading(self, n: int) -> Leaderboard:
        """Return the same with no more than the n best arms of the main bench."""
        labels = {row.label for row in self.main[:n]}
        rows = tuple(row for row in self.rows if row.label in labels)
        arms = tuple(arm for arm in self.arms if arm.label in labels)
        return Leaderboard(rows, arms, self.not_scored)

    def shared_scores(self, row: Row) -> NDArray[Any]:
        """Return a row's `Arm.scores` after training, of the seeds that all rows share."""
        entered = [arm for arm in self.arms if arm.entered(row.bench)]
        shared = set.intersection(*[set(arm.seeds) for arm in entered])
        return next(a for a in entered if a.label == row.label).scores(row.bench, seeds=shared)

    def other(self, label: str, bench: str) -> Row | None:
        """Return one method's row on one bench, if it was evaluated there."""
        return self._by_name.get((label, bench))

    @cached_property
    def _by_bench(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            found[row.bench].append(row)
        return dict(found)

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Row]:
        return {(row.label, row.bench): row for row in self.rows}

    def as_json(self) -> str:
        """Return leaderboard.json: {rows: [...], not_scored: [...]}."""
        content = {
            "rows": [as_row(row) for row in self.rows],
            "not_scored": [as_row(run) for run in self.not_scored],
        }
        return json.dumps(content, indent=2) + "\n"

    def write(self, folder: Path) -> None:
        """Write leaderboard.json and leaderboard.csv."""
        write_file(folder / "leaderboard.json", self.as_json())
        rows = [as_row(row) | {"over": " ".join(row.over)} for row in self.rows]
        write_csv(folder / "leaderboard.csv", rows)


def build_leaderboard(folders: Iterable[Path], index: Path | None = None) -> Leaderboard:
    """Score every finished run at or below the folders and rank the methods, with ties.

    Args:
        folders: run folders, or folders that hold runs anywhere below.
        index: a file that keeps what is read of the runs, so that next time only those that are
            new or changed are read.

    Returns:
        The leaderboard; runs that are unfinished, failed or unproven are listed, not scored.

    Raises:
        InputError: there is no run, none can be scored, or the runs cannot be compared.
    """
    known, damaged = RunIndex(index), list[NotScored]()
    runs = find_runs(folders, lambda *which: damaged.append(NotScored.damaged(*which)))
    arms, not_scored = sort_runs(runs, known)
    not_scored += damaged
    known.save()
    if not arms:
        reasons = Counter(run.reason for run in not_scored).most_common(3)
        told = "; ".join(f"{times}: {reason}" for reason, times in reasons)
        raise InputError(f"none of {len(not_scored)} runs can be scored yet ({told})")
    benches = list(dict.fromkeys(bench for arm in arms for bench in arm.samples))
    benches.sort(key=lambda bench: bench != "test")
    if len({arm.averaged for arm in arms}) == 1 and arms[0].averaged:
        benches.insert(0, AVERAGE)
    rows = [row for bench in benches for row in _bench_rows(arms, bench)]
    return Leaderboard(tuple(rows), tuple(arms), tuple(not_scored))


def _bench_rows(arms: list[Arm], bench: str) -> list[Row]:
    entered = {arm.label: arm for arm in arms if arm.entered(bench)}
    if bench != AVERAGE:
        _refuse_other_problems(list(entered.values()), bench)
    scores = _scores(list(entered.values()), bench)
    # A ranking pairs seeds by value: the seeds that some arm lacks stay out of it.
    shared = set.intersection(*[set(arm.seeds) for arm in entered.values()])
    if not shared:
        rows = [_row(arm, bench, scores[label], None, False, 0) for label, arm in entered.items()]
        return sorted(rows, key=lambda row: -row.avg_at_k)
    # Runs of an arm are in the order of their seeds, so every arm's k-th array has the same seed.
    standings = rank_with_ties(
        {label: arm.scores(bench, seeds=shared) for label, arm in entered.items()},
        np.random.default_rng(_BOOTSTRAP_SEED),
    )
    rows = [
        _row(entered[s.method], bench, scores[s.method], s.rank, s.tied_with_leader, len(shared))
        for s in standings
    ]
    return sorted(rows, key=lambda row: (row.rank, -row.avg_at_k))


@dataclass(frozen=True)
class _Scores:
    """An arm's intervals on a bench: of its mean, and of its change from the base."""

    mean: Interval
    change: Interval


def _scores(arms: list[Arm], bench: str) -> dict[str, _Scores]:
    """Return every arm's scores by its label; arms of as many seeds are resampled together."""
    of_size: dict[int, list[Arm]] = defaultdict(list)
    for arm in arms:
        of_size[len(arm.runs)].append(arm)
    found = {}
    for alike in of_size.values():
        before_BSP, after_BSP = (
            np.stack([arm.shares(bench, stage) for arm in alike]) for stage in _STAGES
        )
        means = bootstrap_means(after_BSP, np.random.default_rng(_BOOTSTRAP_SEED))
        changes = bootstrap_means(after_BSP - before_BSP, np.random.default_rng(_BOOTSTRAP_SEED))
        for arm, mean, change in zip(alike, means, changes, strict=True):
            found[arm.label] = _Scores(mean.within(0.0, 1.0), change.within(-1.0, 1.0))
    return found


@dataclass(frozen=True)
class _Marks:
    """An arm's plain scores on a bench, shares of 1, or their means over benches."""

    base_avg_at_k: float
    avg_at_k: float
    base_pass_at_k: float
    pass_at_k: float
    k: int
    n: int


def _marks(arm: Arm, bench: str) -> _Marks:
    if bench == AVERAGE:
        each = [_marks(arm, one) for one in arm.averaged]
        return _Marks(
            base_avg_at_k=_mean([marks.base_avg_at_k for marks in each]),
            avg_at_k=_mean([marks.avg_at_k for marks in each]),
            base_pass_at_k=_mean([marks.base_pass_at_k for marks in each]),
            pass_at_k=_mean([marks.pass_at_k for marks in each]),
            k=min(marks.k for marks in each),
            n=sum(marks.n for marks in each),
        )
    before_PK, after_PK = (_pooled(arm.scores(bench, stage)) for stage in _STAGES)
    return _Marks(
        base_avg_at_k=avg_at_k(before_PK),
        avg_at_k=avg_at_k(after_PK),
        base_pass_at_k=pass_at_k(before_PK, before_PK.shape[1]),
        pass_at_k=pass_at_k(after_PK, after_PK.shape[1]),
        k=after_PK.shape[1],
        n=len(after_PK) // len(arm.runs),
    )


def _row(
    arm: Arm,
    bench: str,
    scores: _Scores,
    rank: int | None,
    tied_with_best: bool,
    ranked_seeds: int,
) -> Row:
    marks, change, manifests = _marks(arm, bench), scores.change, arm.manifests
    return Row(
        method=arm.method,
        label=arm.label,
        bench=bench,
        rank=rank,
        tied_with_best=tied_with_best,
        base_avg_at_k=marks.base_avg_at_k,
        avg_at_k=marks.avg_at_k,
        low=scores.mean.low,
        high=scores.mean.high,
        change=change.mean,
        change_low=change.low,
        change_high=change.high,
        over=change.over,
        change_p=change.p,
        base_pass_at_k=marks.base_pass_at_k,
        pass_at_k=marks.pass_at_k,
        k=marks.k,
        n=marks.n,
        seeds=len(arm.runs),
        ranked_seeds=ranked_seeds,
        learning_rate=manifests[0].get("learning_rate"),
        trainable_parameters=manifests[0]["trainable_parameters"],
        total_parameters=manifests[0].get("total_parameters"),
        seconds=_mean([manifest["seconds"] for manifest in manifests]),
        peak_memory_bytes=max(manifest["peak_memory_bytes"] for manifest in manifests),
        proven=all((m.get("conformance") or {}).get("passed", False) for m in manifests),
    )


def _pooled(correct_SPK: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return all seeds' problems in a row: seeds of as many have the mean of their means."""
    return correct_SPK.reshape(-1, correct_SPK.shape[2])


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _refuse_other_problems(arms: list[Arm], bench: str) -> None:
    problems = {samples.problems for arm in arms for samples in arm.samples[bench]}
    if len(problems) > 1:
        raise InputError(f"these runs were evaluated on different problems of bench {bench!r}")
    for arm in arms:
        if len({(s.before_PK.shape, s.after_PK.shape) for s in arm.samples[bench]}) > 1:
            raise InputError(f"seeds of {arm.label} differ in their number of samples of {bench!r}")
