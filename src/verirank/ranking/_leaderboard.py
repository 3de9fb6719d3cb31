"""The leaderboard: every method's score with its interval, its cost, and its rank with ties."""

from __future__ import annotations

import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from verirank.config import InputError
from verirank.ranking._bench_tests import BenchTests, bench_tests
from verirank.ranking._row import Row, row_of
from verirank.ranking._searches import search_noise
from verirank.ranking.arms import (
    AVERAGE,
    ArmRuns,
    FailedAs,
    NotScored,
    sort_runs,
    with_runs_to_come,
)
from verirank.record import RunIndex, as_row, find_runs, write_csv, write_file


@dataclass(frozen=True)
class Leaderboard:
    """All rows, best first within each bench, the main bench first; and the runs left out."""

    rows: tuple[Row, ...]
    arms: tuple[ArmRuns, ...]
    not_scored: tuple[NotScored, ...]
    tests: dict[str, BenchTests]
    """By bench the tests that ranks, claims and the recommendation read."""

    def __repr__(self) -> str:
        scores = ", ".join(f"{row.label} {100 * row.avg_at_k:.1f} %" for row in self.main)
        return f"Leaderboard({scores})"

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

    @property
    def ordered_arms(self) -> list[ArmRuns]:
        """The arms in the order of the main bench; arms without a score there come last."""
        order = {row.label: index for index, row in enumerate(self.main)}
        return sorted(self.arms, key=lambda arm: order.get(arm.label, len(order)))

    def leading(self, n: int) -> Leaderboard:
        """Return the leaderboard of the n best arms of the main bench."""
        labels = {row.label for row in self.main[:n]}
        rows = tuple(row for row in self.rows if row.label in labels)
        arms = tuple(arm for arm in self.arms if arm.label in labels)
        return Leaderboard(rows, arms, self.not_scored, self.tests)

    @property
    def main_tests(self) -> BenchTests:
        """The tests on the main bench."""
        return self.tests[self.benches[0]]

    def other(self, label: str, bench: str) -> Row | None:
        """Return one method's row on one bench, if it was evaluated there."""
        return self._by_name.get((label, bench))

    @cached_property
    def _by_bench(self) -> dict[str, list[Row]]:
        by_bench: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            by_bench[row.bench].append(row)
        return dict(by_bench)

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Row]:
        return {(row.label, row.bench): row for row in self.rows}

    def as_json(self) -> str:
        """Return leaderboard.json: {rows, not_scored, equality: {bench: {margin, ...}}}."""
        content = {
            "rows": [as_row(row) for row in self.rows],
            "not_scored": [as_row(run) for run in self.not_scored],
            "equality": {bench: tests.as_json() for bench, tests in self.tests.items()},
        }
        return json.dumps(content, indent=2) + "\n"

    def write(self, folder: Path) -> None:
        """Write leaderboard.json and leaderboard.csv."""
        write_file(folder / "leaderboard.json", self.as_json())
        rows = [{name: _joined(value) for name, value in as_row(row).items()} for row in self.rows]
        write_csv(folder / "leaderboard.csv", rows)


def _joined(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def build_leaderboard(folders: Iterable[Path], index: Path | None = None) -> Leaderboard:
    """Score every finished run at or below the folders and rank the methods, with ties.

    Args:
        folders: run folders, or folders that hold runs anywhere below.
        index: the cache file, with which only new and changed runs are read.

    Returns:
        The leaderboard; runs without scores are listed with the reason. One that failed by its own
        fault counts as the study's `failed_runs` says; one that is still to come, or that the
        machine lost, leaves its method without a rank until it is done.

    Raises:
        InputError: there is no run, none can be scored, the runs cannot be compared, or studies
            count failed runs differently.
    """
    folders = [Path(folder) for folder in folders]
    known, damaged = RunIndex(index), list[NotScored]()
    runs = find_runs(folders, lambda *which: damaged.append(NotScored.damaged(*which)))
    arms, not_scored = sort_runs(runs, known, _failed_as(folders))
    not_scored += damaged
    known.save()
    if not arms:
        reasons = Counter(run.reason for run in not_scored).most_common(3)
        counted = "; ".join(f"{times}: {reason}" for reason, times in reasons)
        raise InputError(f"none of {len(not_scored)} runs can be scored yet ({counted})")
    benches = list(dict.fromkeys(bench for arm in arms for bench in arm.samples))
    benches.sort(key=lambda bench: bench != "test")
    if len({arm.averaged for arm in arms}) == 1 and arms[0].averaged:
        benches.insert(0, AVERAGE)
    arms = with_runs_to_come(arms, folders)
    for bench in benches:
        _refuse_other_problems([arm for arm in arms if bench in arm.samples], bench)
    entered = {bench: [arm for arm in arms if arm.has_bench(bench)] for bench in benches}
    search = search_noise(arms, folders)
    tests = {bench: bench_tests(entered[bench], bench, search) for bench in benches}
    rows = [row for bench in benches for row in _bench_rows(entered[bench], tests[bench], bench)]
    return Leaderboard(tuple(rows), tuple(arms), tuple(not_scored), tests)


def _failed_as(folders: list[Path]) -> FailedAs:
    """Return how the studies in some folders count failed runs; as the base without a study."""
    studies = [folder / "study.toml" for folder in folders]
    settings = [tomllib.loads(one.read_text("utf-8")) for one in studies if one.is_file()]
    choices = {one.get("failed_runs", "base") for one in settings}
    if len(choices) > 1:
        raise InputError(
            "these studies count failed runs differently (failed_runs in study.toml); report each "
            "separately"
        )
    return choices.pop() if choices else "base"


def _bench_rows(arms: list[ArmRuns], tests: BenchTests, bench: str) -> list[Row]:
    ranks = tests.pairs.ranks() if tests.pairs else {}
    rows = [row_of(arm, bench, index, tests, ranks) for index, arm in enumerate(arms)]
    order = {label: index for index, label in enumerate(tests.pairs.arms if tests.pairs else ())}
    ranked = sorted((row for row in rows if row.rank), key=lambda row: order[row.label])
    return ranked + sorted((row for row in rows if not row.rank), key=lambda row: -row.avg_at_k)


def _refuse_other_problems(arms: list[ArmRuns], bench: str) -> None:
    problems = {samples.problems for arm in arms for samples in arm.samples[bench]}
    if len(problems) > 1:
        raise InputError(f"these runs were evaluated on different problems of bench {bench!r}")
    for arm in arms:
        if len({(s.before_PK.shape, s.after_PK.shape) for s in arm.samples[bench]}) > 1:
            raise InputError(f"seeds of {arm.label} differ in their number of samples of {bench!r}")
