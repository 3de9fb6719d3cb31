"""The Pareto frontier of score and cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from verirank.ranking._leaderboard import Row


def pareto_frontier(rows: Sequence[Row], cost: Callable[[Row], float]) -> frozenset[str]:
    """Return the labels of the rows on the frontier of Avg@k against a cost.

    A row is on the frontier if no other row scores as high at a lower cost, or higher at the same
    cost.
    """
    labels, best = set[str](), -1.0
    for row in sorted(rows, key=lambda row: (cost(row), -row.avg_at_k)):
        if row.avg_at_k > best:
            best = row.avg_at_k
            labels.add(row.label)
    return frozenset(labels)
