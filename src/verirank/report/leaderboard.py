"""The leaderboard: every method's score with its interval, its cost, and its rank with ties."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verirank.config import InputError
from verirank.record import find_runs, write_csv, write_file
from verirank.report._arms import Arm, NotScored, sort_runs
from verirank.report._run_index import RunIndex
from verirank.statistics import (
    Interval,
    avg_at_k,
    bootstrap_means,
    pass_at_k,
    rank_with_ties,
)

_BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class Row:
    """One method on one bench; scores are shares of 1, means over the seeds.

    `low` and `high` bound the 95 % interval of `avg_at_k`, `change_low` and `change_high` that of
    the change from the base on the same problems. `rank` is 1 + the number of methods that are
    significantly better, so equal ranks are ties; `ranked_seeds` is the number of seeds it
    compares, those that all methods of the bench share, and where that is 0 there is no rank.
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
    base_pass_at_k: float
    pass_at_k: float
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
    def without_width(self) -> bool:
        """Whether the interval of `avg_at_k` is a point: the samples leave nothing to resample."""
        return self.low == self.high


@dataclass(frozen=True)
class Leaderboard:
    """All rows, best first within each bench, the main bench first; and the runs left out."""

    rows: tuple[Row, ...]
    arms: tuple[Arm, ...]
    not_scored: tuple[NotScored, ...]

    @property
    def benches(self) -> tuple[str, ...]:
        """Names of the benches, the main one first."""
        return tuple(dict.fromkeys(row.bench for row in self.rows))

    @property
    def runs(self) -> int:
        """The number of runs that were scored."""
        return sum(len(arm.runs) for arm in self.arms)

    def of_bench(self, bench: str) -> list[Row]:
        """Return the rows of one bench, best first."""
        return [row for row in self.rows if row.bench == bench]

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

    def shared_samples(self, row: Row) -> NDArray[np.bool_]:
        """Return a row's samples after training, S x P x K, of the seeds that all rows share."""
        entered = [arm for arm in self.arms if row.bench in arm.samples]
        shared = set.intersection(*[{run.seed for run in arm.runs} for arm in entered])
        return _stacked_on(next(a for a in entered if a.label == row.label), row.bench, shared)

    def other(self, label: str, bench: str) -> Row | None:
        """Return one method's row on one bench, if it was evaluated there."""
        return self._by_name.get((label, bench))

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Row]:
        return {(row.label, row.bench): row for row in self.rows}

    def as_json(self) -> str:
        """Return leaderboard.json: {rows: [...], not_scored: [...]}."""
        content = {
            "rows": [asdict(row) for row in self.rows],
            "not_scored": [asdict(run) for run in self.not_scored],
        }
        return json.dumps(content, indent=2) + "\n"

    def write(self, folder: Path) -> None:
        """Write leaderboard.json and leaderboard.csv."""
        write_file(folder / "leaderboard.json", self.as_json())
        write_csv(folder / "leaderboard.csv", [asdict(row) for row in self.rows])


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
    known = RunIndex(index)
    arms, not_scored = sort_runs(find_runs(folders), known)
    known.save()
    if not arms:
        reasons = Counter(run.reason for run in not_scored).most_common(3)
        told = "; ".join(f"{times}: {reason}" for reason, times in reasons)
        raise InputError(f"none of {len(not_scored)} runs can be scored yet ({told})")
    benches = list(dict.fromkeys(bench for arm in arms for bench in arm.samples))
    benches.sort(key=lambda bench: bench != "test")
    rows = [row for bench in benches for row in _bench_rows(arms, bench)]
    return Leaderboard(tuple(rows), tuple(arms), tuple(not_scored))


def _bench_rows(arms: list[Arm], bench: str) -> list[Row]:
    entered = {arm.label: arm for arm in arms if bench in arm.samples}
    _refuse_other_problems(list(entered.values()), bench)
    scores = _scores(list(entered.values()), bench)
    # A ranking pairs seeds by value: the seeds that some arm lacks stay out of it.
    shared = set.intersection(*[{run.seed for run in arm.runs} for arm in entered.values()])
    if not shared:
        rows = [_row(arm, bench, scores[label], None, False, 0) for label, arm in entered.items()]
        return sorted(rows, key=lambda row: -row.avg_at_k)
    standings = rank_with_ties(
        {label: _stacked_on(arm, bench, shared) for label, arm in entered.items()},
        np.random.default_rng(_BOOTSTRAP_SEED),
    )
    rows = [
        _row(entered[s.method], bench, scores[s.method], s.rank, s.tied_with_leader, len(shared))
        for s in standings
    ]
    return sorted(rows, key=lambda row: (row.rank, -row.avg_at_k))


@dataclass(frozen=True)
class _Scores:
    """An arm's samples on a bench, with the intervals of its mean and of its change."""

    before_SPK: NDArray[np.bool_]
    after_SPK: NDArray[np.bool_]
    mean: Interval
    change: Interval


def _scores(arms: list[Arm], bench: str) -> dict[str, _Scores]:
    """Return every arm's scores by its label; arms of as many seeds are resampled together."""
    stacks = {
        arm.label: (_stacked(arm, bench, "before_PK"), _stacked(arm, bench, "after_PK"))
        for arm in arms
    }
    of_size: dict[int, list[str]] = defaultdict(list)
    for label, (_, after_SPK) in stacks.items():
        of_size[len(after_SPK)].append(label)
    found = {}
    for labels in of_size.values():
        before_BSP, after_BSP = (
            np.stack([stacks[label][stage].mean(axis=2) for label in labels]) for stage in (0, 1)
        )
        means = bootstrap_means(after_BSP, np.random.default_rng(_BOOTSTRAP_SEED))
        changes = bootstrap_means(after_BSP - before_BSP, np.random.default_rng(_BOOTSTRAP_SEED))
        for label, mean, change in zip(labels, means, changes, strict=True):
            bounded = mean.within(0.0, 1.0), change.within(-1.0, 1.0)
            found[label] = _Scores(*stacks[label], *bounded)
    return found


def _row(
    arm: Arm,
    bench: str,
    scores: _Scores,
    rank: int | None,
    tied_with_best: bool,
    ranked_seeds: int,
) -> Row:
    before_SPK, after_SPK, change = scores.before_SPK, scores.after_SPK, scores.change
    seeds, n, k = after_SPK.shape
    manifests = [run.manifest for run in arm.runs]
    return Row(
        method=arm.method,
        label=arm.label,
        bench=bench,
        rank=rank,
        tied_with_best=tied_with_best,
        base_avg_at_k=avg_at_k(_pooled(before_SPK)),
        avg_at_k=avg_at_k(_pooled(after_SPK)),
        low=scores.mean.low,
        high=scores.mean.high,
        change=change.mean,
        change_low=change.low,
        change_high=change.high,
        base_pass_at_k=pass_at_k(_pooled(before_SPK), before_SPK.shape[2]),
        pass_at_k=pass_at_k(_pooled(after_SPK), k),
        k=k,
        n=n,
        seeds=seeds,
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


def _stacked(arm: Arm, bench: str, stage: str) -> NDArray[np.bool_]:
    return np.stack([getattr(samples, stage) for samples in arm.samples[bench]])


def _stacked_on(arm: Arm, bench: str, seeds: set[int]) -> NDArray[np.bool_]:
    # Runs of an arm are in the order of their seeds, so every arm's k-th array has the same seed.
    kept = [run.seed in seeds for run in arm.runs]
    return _stacked(arm, bench, "after_PK")[kept]


def _refuse_other_problems(arms: list[Arm], bench: str) -> None:
    problems = {samples.problems for arm in arms for samples in arm.samples[bench]}
    if len(problems) > 1:
        raise InputError(f"these runs were evaluated on different problems of bench {bench!r}")
    for arm in arms:
        if len({(s.before_PK.shape, s.after_PK.shape) for s in arm.samples[bench]}) > 1:
            raise InputError(f"seeds of {arm.label} differ in their number of samples of {bench!r}")
