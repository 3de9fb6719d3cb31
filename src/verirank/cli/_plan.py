"""A study's plan as a table."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from verirank.cli._watch import duration

if TYPE_CHECKING:
    from verirank.study import Plan, PlannedTrial


def render_plan(plan: Plan) -> Group:
    """Return a line for every method and part of the study, and the totals."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, justify in (
        ("method", "left"),
        ("part", "left"),
        ("trials", "right"),
        ("done", "right"),
        ("learning rates", "left"),
        ("a trial", "right"),
        ("from", "left"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for (method, role), group in groupby(plan.trials, key=lambda t: (t.method, t.role)):
        table.add_row(method, role, *_cells(list(group)))
    return Group(table, Text(_total(plan), style="bold"))


def _cells(trials: list[PlannedTrial]) -> tuple[str, ...]:
    rates = sorted({t.learning_rate for t in trials if t.learning_rate is not None})
    ends = [f"{rate:g}" for rate in dict.fromkeys([*rates[:1], *rates[-1:]])]
    shown = " to ".join(ends) or "by search"
    seconds = [t.seconds for t in trials if t.seconds is not None]
    return (
        str(len(trials)),
        str(sum(t.state in {"done", "pruned"} for t in trials)),
        shown,
        duration(sum(seconds) / len(seconds)) if seconds else "unknown",
        ", ".join(sorted({t.source for t in trials})),
    )


def _total(plan: Plan) -> str:
    totals = plan.totals()
    left = totals["core_seconds_left"]
    if left is None:
        cost = "what is left was not measured, or the model is not here"
    else:
        wall = duration(left / plan.processes)
        cost = f"{duration(left)} of one core left, about {wall} on {plan.processes} side by side"
    return f"{plan.name} ({plan.protocol}): {totals['total']} trials, {totals['done']} done, {cost}"
