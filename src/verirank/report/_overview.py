"""Statistics of a run's completions as text: endings, hardest and easiest problems, signs."""

from __future__ import annotations

from collections.abc import Sequence

from verirank.record import (
    Completion,
    Endings,
    Run,
    SolveRate,
    endings,
    hacking_signs,
    read_all_rollouts,
    read_bench_completions,
    solve_rates,
)
from verirank.report._text import readable

_PROBLEMS = 3
"""Problems named as the hardest, and as the easiest."""


def overview(run: Run) -> str:
    """Return how a run's completions ended, its extreme problems, and signs of reward hacking."""
    lines = [f"{run.folder}: {_arm(run)}, seed {run.seed}, {run.status}"]
    for bench in run.benches:
        rows = read_bench_completions(run, bench)
        lines += ["", f"{bench}:"]
        for stage in ("before", "after"):
            lines.append(f"  {stage}: {endings_text(endings(_of_stage(rows, stage)))}")
        extremes = _extremes(solve_rates(_of_stage(rows, "after")))
        lines += [f"  {line}" for line in [*extremes, *signs_text(rows)]]
    rollouts = read_all_rollouts(run)
    if rollouts:
        for step in (rollouts[0]["step"], rollouts[-1]["step"]):
            ended = endings([row for row in rollouts if row["step"] == step])
            lines.append(f"step {step}: {endings_text(ended)}")
    return readable("\n".join(lines))


def _arm(run: Run) -> str:
    """Return a run's method with its rank and learning rate."""
    method = run.settings.get("method", {})
    rank = [f"rank {method['rank']}"] if method.get("rank") else []
    rate = [f"learning rate {method['learning_rate']:g}"] if method.get("learning_rate") else []
    return ", ".join([run.method, *rank, *rate])


def endings_text(ended: Endings) -> str:
    """Return the most frequent verdicts and the truncated fraction as text."""
    reasons = [f"{_percent(fraction)} {reason}" for reason, fraction in ended.reasons]
    return f"{', '.join(reasons)}; {_percent(ended.truncated)} cut off"


def signs_text(rows: Sequence[Completion]) -> list[str]:
    """Return possible signs of reward hacking as lines, zero rates included.

    Args:
        rows: a bench's samples of both stages.
    """
    signs = hacking_signs(rows)
    if signs is None:
        return []
    lines = [
        f"correct answers under half of the base's mean {signs.base_length:.0f} tokens: "
        f"{_change(signs.short)}",
        f"correct answers whose text states more than one answer: {_change(signs.several)}",
        f"cut off: {_change(signs.truncated)}",
    ]
    if same := signs.duplicate:
        lines.append(
            f"one text is the correct answer to {same.problems} problems ({same.samples} samples)"
        )
    return lines


def _extremes(rates: Sequence[SolveRate]) -> list[str]:
    return [
        f"{name}: " + ", ".join(f"{r.problem} ({r.reward:.0f}/{r.completions})" for r in selected)
        for name, selected in (("worst", rates[:_PROBLEMS]), ("best", rates[::-1][:_PROBLEMS]))
    ]


def _of_stage(rows: Sequence[Completion], stage: str) -> list[Completion]:
    return [row for row in rows if row["stage"] == stage]


def _change(fractions: tuple[float, float]) -> str:
    before, after = fractions
    return f"{_percent(before)} before, {_percent(after)} after"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"
