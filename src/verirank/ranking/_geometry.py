"""What `verirank analyze` found of the runs, per method, each measure beside its null."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.arms import ArmRuns
from verirank.record import read_json


@dataclass(frozen=True, slots=True)
class Measure:
    """How a measure is shown: `factor` turns its value into the unit of its heading."""

    name: str
    heading: str
    factor: float
    tells: str


MEASURES = (
    Measure("relative_norm", "D/W, %", 100, "size of the update beside the weight"),
    Measure("spectral_shift", "NSS, %", 100, "shift of the singular values"),
    Measure("angle_left_mean", "U, °", 1, "turn of the leading left directions"),
    Measure("angle_right_mean", "V, °", 1, "turn of the leading right directions"),
    Measure("in_span_ratio", "In span, %", 100, "energy inside the leading directions"),
    Measure("sparsity", "Same, %", 100, "entries that did not change"),
    Measure("below_half_ulp", "< ½ ULP, %", 100, "entries that bf16 would not move"),
    Measure("effective_rank", "Effective rank", 1, "of the update"),
    Measure("stable_rank", "Stable rank", 1, "of the update"),
)
OVERLAPS = ("cosine", "mask_jaccard", "overlap_left", "overlap_right")
_SIDES = {"energy_left": "left", "energy_right": "right"}
_NUMBERS = ("value", "null")
_LINES = ("update", "isotropic", "base")


@dataclass(frozen=True)
class RunGeometry:
    """A run's geometry.json by the label of its arm: all weights together, over its checkpoints."""

    label: str
    seed: int
    run: str
    content: dict[str, Any]

    @property
    def moments(self) -> list[tuple[int, dict[str, Any]]]:
        """Steps with the measures by then, the end last."""
        trajectory = self.content["trajectory"]
        return [(moment["step"], moment["summary"]["overall"]["measures"]) for moment in trajectory]


_Measured = dict[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class GeometryReport:
    """What is known of the analyzed runs, as rows: of the files beside the page, and of its tables.

    `measures` has a row a run, step and measure; `energy` the cumulative energy curves in percent;
    `overlaps` a row a pair of runs and measure; `runs` counts the analyzed ones.
    """

    measures: list[dict[str, Any]]
    energy: list[dict[str, Any]]
    overlaps: list[dict[str, Any]]
    runs: int

    @property
    def labels(self) -> list[str]:
        """The analyzed arms, best first."""
        return list(dict.fromkeys(row["method"] for row in self.measures))

    @cached_property
    def by_method(self) -> list[dict[str, Any]]:
        """A row an arm and measure at the end of training, means over its seeds."""
        ends = [row for row in self.measures if row["end"]]
        return group_means(ends, ("method", "measure"), _NUMBERS)

    @cached_property
    def overlaps_by_method(self) -> list[dict[str, Any]]:
        """A row a pair of arms and measure, means over the pairs of their runs."""
        return group_means(self.overlaps, ("a", "b", "measure"), _NUMBERS)

    def of(self, label: str) -> _Measured:
        """Return an arm's measures at the end of training, each with its null."""
        return _by_name(row for row in self.by_method if row["method"] == label)

    def overlap(self, one: str, other: str) -> _Measured:
        """Return what the updates of two arms share, each measure with its chance."""
        pair = sorted((one, other))
        return _by_name(row for row in self.overlaps_by_method if [row["a"], row["b"]] == pair)


def read_geometry(board: Leaderboard) -> GeometryReport:
    """Read geometry.json of every scored run that has one."""
    runs = [run for arm in board.ordered_arms for run in _of_arm(arm)]
    return GeometryReport(
        measures=[row for run in runs for row in _measure_rows(run)],
        energy=[row for run in runs for row in _energy_rows(run)],
        overlaps=_overlap_rows(runs),
        runs=len(runs),
    )


def _of_arm(arm: ArmRuns) -> Iterator[RunGeometry]:
    for run in arm.runs:
        file = run.folder / "geometry.json"
        if file.is_file():
            content = read_json(file)
            yield RunGeometry(arm.label, run.seed, run.folder.name, content)


def _measure_rows(run: RunGeometry) -> Iterator[dict[str, Any]]:
    last = run.moments[-1][0]
    for step, measures in run.moments:
        for name, measured in measures.items():
            yield {
                "method": run.label,
                "run": run.run,
                "seed": run.seed,
                "step": step,
                "end": step == last,
                "measure": name,
                "value": measured["value"],
                "null": measured["null"],
            }


def _energy_rows(run: RunGeometry) -> Iterator[dict[str, Any]]:
    fractions = run.content["fractions"]
    for name, curve in run.content["summary"]["overall"]["curves"].items():
        for index, fraction in enumerate(fractions):
            lines = {line: round(100 * curve[line][index], 4) for line in _LINES}
            yield {
                "method": run.label,
                "run": run.run,
                "seed": run.seed,
                "side": _SIDES[name],
                "directions": round(100 * fraction, 4),
                **lines,
            }


def _overlap_rows(runs: Sequence[RunGeometry]) -> list[dict[str, Any]]:
    """Return a row a pair and measure; a pair stands in the files of both, and counts once."""
    by_run = {run.run: run for run in runs}
    by_pair: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        for comparison in run.content["comparisons"]:
            names = [_folder_name(identity["folder"]) for identity in comparison["runs"]]
            if all(name in by_run for name in names):
                pair = sorted(by_run[name].run for name in names)
                measures = comparison["summary"]["overall"]["measures"]
                a, b = sorted((by_run[name] for name in names), key=lambda run: run.label)
                by_pair.setdefault((pair[0], pair[1]), list(_pair_rows(a, b, measures)))
    return [row for rows in by_pair.values() for row in rows]


def _pair_rows(
    a: RunGeometry, b: RunGeometry, measures: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    for name in OVERLAPS:
        if name in measures:
            yield {
                "a": a.label,
                "a_seed": a.seed,
                "b": b.label,
                "b_seed": b.seed,
                "measure": name,
                "value": measures[name]["value"],
                "null": measures[name]["null"],
            }


def _folder_name(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]


def group_means(
    rows: Sequence[dict[str, Any]], keys: Sequence[str], numbers: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the means of some numbers over the rows that agree in all keys.

    Groups stand in the order of their first row; `of` counts a group's rows. None is left out of a
    mean.
    """
    if not rows:
        return []
    columns = {key: pa.array([row[key] for row in rows]) for key in keys}
    columns |= {name: pa.array([row[name] for row in rows], pa.float64()) for name in numbers}
    columns["first"] = pa.array(range(len(rows)))
    aggregates = [*((name, "mean") for name in numbers), ([], "count_all"), ("first", "min")]
    means = pa.table(columns).group_by(list(keys)).aggregate(aggregates).sort_by("first_min")
    return means.drop_columns("first_min").rename_columns([*keys, *numbers, "of"]).to_pylist()


def _by_name(rows: Iterable[dict[str, Any]]) -> _Measured:
    nothing: _Measured = dict.fromkeys((*(m.name for m in MEASURES), *OVERLAPS), (None, None))
    return nothing | {row["measure"]: (row["value"], row["null"]) for row in rows}
