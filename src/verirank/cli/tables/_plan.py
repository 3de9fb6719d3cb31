"""A study's plan as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from verirank.cli.tables._axes import axes_in_words
from verirank.record import duration

if TYPE_CHECKING:
    from verirank.study import Plan, PlannedTrial


def render_plan(plan: Plan) -> Group:
    """Return a line for every method and part of the study, and the totals."""
    axes_of = axes_in_words([trial.axes for trial in plan.trials])
    rows = zip(plan.trials, axes_of, strict=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, justify in (
        ("method", "left"),
        *([("axes", "left")] if any(axes_of) else []),
        ("part", "left"),
        ("trials", "right"),
        ("done", "right"),
        ("learning rates", "left"),
        ("a trial", "right"),
        ("from", "left"),
    ):
        folds = {"no_wrap": False, "overflow": "fold"} if title == "axes" else {"no_wrap": True}
        table.add_column(title, justify=justify, **folds)  # type: ignore[arg-type]
    for (method, axes, role), group in groupby(rows, key=lambda r: (r[0].method, r[1], r[0].role)):
        shown = [axes] if any(axes_of) else []
        table.add_row(method, *shown, role, *_cells([trial for trial, _ in group]))
    return Group(table, Text(_total(plan), style="bold"))


def left_out_in_words(left_out: Mapping[str, Sequence[str]]) -> str:
    """Return which methods a study has no trial of, and the axes' keys that each lacks."""
    names = (f"{method} (no {', '.join(keys)})" for method, keys in left_out.items())
    return f"Left out, for want of a setting that is an axis: {', '.join(names)}"


def _cells(trials: list[PlannedTrial]) -> tuple[str, ...]:
    rates = sorted({t.learning_rate for t in trials if t.learning_rate is not None})
    ends = [f"{rate:g}" for rate in dict.fromkeys([*rates[:1], *rates[-1:]])]
    shown = " to ".join(ends) or "by search"
    seconds = [t.seconds for t in trials if t.seconds is not None]
    return (
        str(len(trials)),
        str(sum(t.ended and t.state != "failed" for t in trials)),
        shown,
        duration(sum(seconds) / len(seconds)) if seconds else "unknown",
        ", ".join(sorted({t.source for t in trials})),
    )


def _total(plan: Plan) -> str:
    totals = plan.totals()
    core, on_gpu = totals["core_seconds_left"], totals["gpu_seconds_left"]
    if core is None:
        cost = ["what is left was not measured, or the model is not here"]
    else:
        wall = duration(core / plan.processes)
        cost = [f"{duration(core)} of one core left, about {wall} on {plan.processes} side by side"]
        if on_gpu:
            hours = [f"about {duration(on_gpu)} of one {plan.gpu} left, by the model's shape"]
            cost = cost * bool(core) + hours
    failed = [f"{totals['failed']} failed"] if totals["failed"] else []
    counts = [f"{totals['total']} trials", f"{totals['done']} done", *failed]
    said = f"{plan.name} ({plan.protocol}): {', '.join([*counts, *cost])}"
    return ". ".join([said, *_race(plan), *_assumed(plan)])


def _race(plan: Plan) -> list[str]:
    """Return how many of its trials a race is expected to train."""
    race = plan.race
    if race is None:
        return []
    parts = []
    for index, (spread, trials) in enumerate(zip(race.spreads, race.trials, strict=True)):
        time = f" ({duration(race.seconds[index])} of trials)" if race.seconds else ""
        over = "" if race.within is None or race.within[index] else ", more than its budget"
        parts.append(f"{trials:.0f}{time}{over} if they scatter by {100 * spread:g} points")
    return [
        f"That is the most that the race trains. Of {race.most} ranked trials, its first look "
        f"needs {race.first}, and {'; '.join(parts)} (SD between the methods' true means; seeds "
        f"scatter by 1.5 points)"
    ]


def _assumed(plan: Plan) -> list[str]:
    """Return what the seconds of what is left take for granted."""
    from verirank.planning import AT_LIMIT, KEPT, UTILISATION

    sources = {trial.source for trial in plan.trials if trial.seconds_left}
    words = []
    if plan.unmatched:
        names = ", ".join(plan.unmatched)
        words.append(f"No rank brings these near LoRA's trainable parameters: {names}")
    if plan.left_out:
        words.append(left_out_in_words(plan.left_out))
    if any(trial.role == "search" and not trial.ended for trial in plan.trials):
        words.append("The search takes that at most: rates that are surely worse end earlier")
    if plan.undropped:
        names = ", ".join(plan.undropped)
        why = "for no rung lies between the method's final phase and the last step"
        words.append(f"No learning rate of these is dropped early, {why}: {names}")
    if sources & {"measured", "another seed", "probe"}:
        words.append("Measured times hold while the machine does nothing else")
    if "estimate" in sources:
        words.append(
            f"Estimates take training at {100 * UTILISATION:.0f} % of the GPU's peak, decoding by "
            f"its bytes, {100 * AT_LIMIT:.0f} % of the completions at the limit, and refilling "
            f"that keeps {100 * KEPT:.0f} % of the groups"
        )
    return words
