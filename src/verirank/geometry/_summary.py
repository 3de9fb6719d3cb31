"""Many weights' measures as one: for each kind of module, and for all together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import hypot

from verirank.geometry._energy import Curve
from verirank.geometry._row import Measured, Row


@dataclass(frozen=True, slots=True)
class Pool:
    """The measures of several weights together.

    Norms are those of all entries together, and fractions of entries are fractions of all entries;
    every other measure, and its null, is the mean over the weights that have it.
    """

    weights: int
    unchanged: int
    measures: dict[str, Measured]
    curves: dict[str, Curve]


@dataclass(frozen=True, slots=True)
class Summary:
    """All weights pooled, and those of each kind of module."""

    overall: Pool
    modules: dict[str, Pool]


def summarise(rows: Iterable[Row]) -> Summary:
    """Pool at least one row."""
    rows = list(rows)
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.module, []).append(row)
    return Summary(_pool(rows), {kind: _pool(members) for kind, members in kinds.items()})


def _pool(rows: list[Row]) -> Pool:
    names = dict.fromkeys(name for row in rows for name in row.measures)
    measures = {name: _pool_measure(name, rows) for name in names}
    if "base_norm" in measures:
        base, change = measures["base_norm"].value, measures["change_norm"].value
        ratio = change / base if base and change is not None else None
        measures["relative_norm"] = Measured(ratio)
    curves = {
        name: _mean_curve([row.curves[name] for row in rows if name in row.curves])
        for name in dict.fromkeys(name for row in rows for name in row.curves)
    }
    return Pool(len(rows), sum(row.unchanged for row in rows), measures, curves)


def _pool_measure(name: str, rows: list[Row]) -> Measured:
    having = [(row.measures[name], row.entries) for row in rows if name in row.measures]
    pool = _POOLED.get(name, _mean)
    return Measured(
        pool([(m.value, entries) for m, entries in having if m.value is not None]),
        pool([(m.null, entries) for m, entries in having if m.null is not None]),
    )


def _mean(values: list[tuple[float, int]]) -> float | None:
    return sum(value for value, _ in values) / len(values) if values else None


def _weighted_mean(values: list[tuple[float, int]]) -> float | None:
    total = sum(entries for _, entries in values)
    return sum(value * entries for value, entries in values) / total if values else None


def _norm(values: list[tuple[float, int]]) -> float | None:
    return hypot(*(value for value, _ in values)) if values else None


_POOLED: dict[str, Callable[[list[tuple[float, int]]], float | None]] = {
    "base_norm": _norm,
    "change_norm": _norm,
    "sparsity": _weighted_mean,
    "below_half_ulp": _weighted_mean,
}


def _mean_curve(curves: list[Curve]) -> Curve:
    def mean(lines: list[tuple[float, ...]]) -> tuple[float, ...]:
        return tuple(sum(points) / len(points) for points in zip(*lines, strict=True))

    return Curve(
        mean([curve.update for curve in curves]),
        mean([curve.base for curve in curves]),
        mean([curve.isotropic for curve in curves]),
    )
