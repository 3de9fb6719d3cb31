"""What `verirank analyze` found of the runs, per method, each measure beside its null."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from verirank.record import read_json
from verirank.report._arms import Arm
from verirank.report.leaderboard import Leaderboard


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
        told = self.content["trajectory"]
        return [(moment["step"], moment["summary"]["overall"]["measures"]) for moment in told]


_Found = dict[str, tuple[float | None, float | None]]


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
        return _means([row for row in self.measures if row["end"]], ("method", "measure"))

    @cached_property
    def overlaps_by_method(self) -> list[dict[str, Any]]:
        """A row a pair of arms and measure, means over the pairs of their runs."""
        return _means(self.overlaps, ("a", "b", "measure"))

    def of(self, label: str) -> _Found:
        """Return an arm's measures at the end of training, each with its null."""
        return _by_name(row for row in self.by_method if row["method"] == label)

    def overlap(self, one: str, other: str) -> _Found:
        """Return what the updates of two arms share, each measure with its chance."""
        pair = sorted((one, other))
        return _by_name(row for row in self.overlaps_by_method if [row["a"], row["b"]] == pair)


def read_geometry(board: Leaderboard) -> GeometryReport:
    """Read geometry.json of every scored run that has one."""
    order = {row.label: place for place, row in enumerate(board.main)}
    arms = sorted(board.arms, key=lambda arm: order.get(arm.label, len(order)))
    runs = [run for arm in arms for run in _of_arm(arm)]
    return GeometryReport(
        measures=[row for run in runs for row in _measure_rows(run)],
        energy=[row for run in runs for row in _energy_rows(run)],
        overlaps=_overlap_rows(runs),
        runs=len(runs),
    )


def _of_arm(arm: Arm) -> Iterator[RunGeometry]:
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
        for place, fraction in enumerate(fractions):
            lines = {line: round(100 * curve[line][place], 4) for line in _LINES}
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
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        for comparison in run.content["comparisons"]:
            names = [_folder_name(identity["folder"]) for identity in comparison["runs"]]
            if all(name in by_run for name in names):
                pair = sorted(by_run[name].run for name in names)
                measures = comparison["summary"]["overall"]["measures"]
                a, b = sorted((by_run[name] for name in names), key=lambda run: run.label)
                found.setdefault((pair[0], pair[1]), list(_pair_rows(a, b, measures)))
    return [row for rows in found.values() for row in rows]


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


def _means(rows: Iterable[dict[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the mean values and nulls of the rows that have all keys in common."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [
        {
            **dict(zip(keys, shared, strict=True)),
            "value": _mean(row["value"] for row in group),
            "null": _mean(row["null"] for row in group),
            "of": len(group),
        }
        for shared, group in groups.items()
    ]


def _by_name(rows: Iterable[dict[str, Any]]) -> _Found:
    nothing: _Found = dict.fromkeys((*(m.name for m in MEASURES), *OVERLAPS), (None, None))
    return nothing | {row["measure"]: (row["value"], row["null"]) for row in rows}


def _mean(values: Iterable[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return fmean(told) if told else None
