"""One arm's row on one bench: its scores, its standing among the others, and its costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verirank.ranking._bench_tests import BenchTests
from verirank.ranking.arms import AVERAGE, ArmRuns, Stage
from verirank.statistics import ALPHA, avg_at_k, pass_at_k

_STAGES: tuple[Stage, Stage] = ("before", "after")


@dataclass(frozen=True)
class Row:
    """One arm on one bench; scores are fractions of 1, means over the seeds.

    `low` and `high` bound the 95 % interval of `avg_at_k`, `change_low` and `change_high` that of
    the change from the base on the same problems; `change_p` is the p-value of no change, and
    `change_p_holm` is corrected over all methods. `rank` is 1 + the number of methods that are
    significantly better, `rank_worst` the number of methods that are not significantly worse: the
    true rank lies between. A method is compared with each other one on the seeds that the two
    share, `ranked_seeds` or more. It has no rank where it shares none, or has runs in `lost`: seeds
    that are still to come or that the machine lost.
    `failed` are seeds of runs that failed by their own fault. They count as the base's score, or as
    0, as the study's `failed_runs` says; the other two scores are those of both choices.
    `collapsed` are seeds that fell far below the method's others.
    `best` and `near_best` are the chances of being the best and within the margin of equality of
    the best; `shrunk` is the score without the luck of its rank (`statistics.posterior`).
    On the average over benches, which stands first where there are several, scores are means over
    the benches with equal weights; `k` is the least of theirs and `n` their problems together.
    `groups` counts the groups that the problems come in, over which intervals and tests then are.
    `over` names the sources of variation in the intervals; with one seed they are problems and
    samples only. `search_fraction` is how much of the variance of `change` the search of the
    learning rate makes up; None where the rate was set.
    `remaining_parameters` are those of `trainable_parameters` that still act at the end, fewer
    where a schedule prunes as AdaLoRA's does; None in records that do not tell.
    `seconds` is the mean training time of a run and `peak_memory_bytes` the largest of any;
    `proven` means that every run passed its checks.
    """

    method: str
    label: str
    bench: str
    rank: int | None
    rank_worst: int | None
    tied_with_best: bool
    base_avg_at_k: float
    avg_at_k: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float
    change_p: float
    change_p_holm: float
    base_pass_at_k: float
    pass_at_k: float
    shrunk: float | None
    best: float | None
    near_best: float | None
    over: tuple[str, ...]
    k: int
    n: int
    groups: int | None
    seeds: int
    ranked_seeds: int
    failed: tuple[int, ...]
    failed_as_base: float
    failed_as_zero: float
    lost: tuple[int, ...]
    collapsed: tuple[int, ...]
    learning_rate: float | None
    trainable_parameters: int
    remaining_parameters: int | None
    total_parameters: int | None
    seconds: float
    peak_memory_bytes: int
    proven: bool
    search_fraction: float | None

    @property
    def gained(self) -> bool:
        """Whether it beat the base at 5 %, corrected over all methods."""
        return self.change > 0 and self.change_p_holm <= ALPHA

    @property
    def on(self) -> str:
        """What the scores are on, in words."""
        return "averaged over benches" if self.bench == AVERAGE else f"on {self.bench}"


@dataclass(frozen=True)
class _Marks:
    """An arm's plain scores on a bench, fractions of 1, or their means over benches."""

    base_avg_at_k: float
    avg_at_k: float
    base_pass_at_k: float
    pass_at_k: float
    k: int
    n: int


def _marks(arm: ArmRuns, bench: str) -> _Marks:
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


def row_of(
    arm: ArmRuns, bench: str, index: int, tests: BenchTests, ranks: dict[str, tuple[int, int]]
) -> Row:
    """Return the row of an arm, which has an index among the tests' arms."""
    label, marks, mean = arm.label, _marks(arm, bench), tests.means[index]
    shared, alone = tests.shared_seeds.get(label), len(tests.labels) == 1
    is_ranked = shared is not None or (alone and not arm.lost)
    of_base = {name: getattr(tests.changes, f"{name}_N")[index] for name in ("mean", "low", "high")}
    standing = _Standing() if shared is None else _standing(label, tests)
    failed_as_base, failed_as_zero = _with_failed(arm, marks)
    of_search = tests.search_fraction(label)
    return Row(
        method=arm.method,
        label=label,
        bench=bench,
        rank=ranks[label][0] if is_ranked else None,
        rank_worst=ranks[label][1] if is_ranked else None,
        tied_with_best=is_ranked and (alone or standing.tied_with_best),
        base_avg_at_k=marks.base_avg_at_k,
        avg_at_k=marks.avg_at_k,
        low=mean.low,
        high=mean.high,
        change=float(of_base["mean"]),
        change_low=float(of_base["low"]),
        change_high=float(of_base["high"]),
        over=mean.over if of_search is None else (*mean.over, "searches"),
        change_p=float(tests.changes.p_N[index]),
        change_p_holm=tests.base_p_holm[index],
        base_pass_at_k=marks.base_pass_at_k,
        pass_at_k=marks.pass_at_k,
        shrunk=standing.shrunk,
        best=standing.best,
        near_best=standing.near_best,
        k=marks.k,
        n=marks.n,
        groups=_groups(arm, bench),
        seeds=len(arm.seeds),
        ranked_seeds=(shared or 0) if not alone else len(arm.seeds),
        failed=arm.failed,
        failed_as_base=failed_as_base,
        failed_as_zero=failed_as_zero,
        lost=arm.lost,
        collapsed=tests.collapsed.get(label, ()),
        learning_rate=arm.manifests[0].get("learning_rate"),
        trainable_parameters=max(m["trainable_parameters"] for m in arm.manifests),
        remaining_parameters=max(
            (m["remaining_parameters"] for m in arm.manifests if m.get("remaining_parameters")),
            default=None,
        ),
        total_parameters=arm.manifests[0].get("total_parameters"),
        seconds=_mean([manifest["seconds"] for manifest in arm.costs]),
        peak_memory_bytes=max(manifest["peak_memory_bytes"] for manifest in arm.costs),
        search_fraction=of_search,
        proven=all((m.get("conformance") or {}).get("passed", False) for m in arm.manifests),
    )


def _groups(arm: ArmRuns, bench: str) -> int | None:
    groups = None if bench == AVERAGE else arm.groups(bench)
    return None if groups is None else len(set(groups))


@dataclass(frozen=True)
class _Standing:
    """How an arm stands among the others."""

    tied_with_best: bool = False
    shrunk: float | None = None
    best: float | None = None
    near_best: float | None = None


def _standing(label: str, tests: BenchTests) -> _Standing:
    pairs, chances = tests.pairs, tests.chances
    assert pairs is not None
    index = pairs.index_of(label)
    level = not pairs.is_better(pairs.arms[0], label)
    if chances is None:
        return _Standing(level)
    each = (chances.mean_M, chances.best_M, chances.near_best_M)
    return _Standing(level, *(float(one[index]) for one in each))


def _with_failed(arm: ArmRuns, marks: _Marks) -> tuple[float, float]:
    """Return the arm's score with its failed runs as the base, and as 0."""
    failed, seeds = len(arm.failed), len(arm.seeds)
    if not failed:
        return marks.avg_at_k, marks.avg_at_k
    of_others = marks.avg_at_k * seeds
    if arm.failed_as == "base":
        of_others -= marks.base_avg_at_k * failed
    zero = of_others / seeds
    return zero + marks.base_avg_at_k * failed / seeds, zero


def _pooled(correct_SPK: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return all seeds' problems in a row: seeds of as many have the mean of their means."""
    return correct_SPK.reshape(-1, correct_SPK.shape[2])


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
