"""A run's completions as rows, and what stands out in them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq

from verirank.config import InputError
from verirank.record import Run

Completion = dict[str, Any]
_SHORT = 0.5
"""A right answer in less than this share of the usual length is worth a look."""


def rollouts(run: Run, step: int) -> list[Completion]:
    """Return a training step's completions, a row each, with the advantage that each was given.

    Raises:
        InputError: the run has no such step on disk.
    """
    rows = [row for row in _all_rollouts(run) if row["step"] == step]
    if not rows:
        steps = sorted({row["step"] for row in _all_rollouts(run)})
        known = f"steps {steps[0]} to {steps[-1]}" if steps else "no steps"
        raise InputError(f"{run.folder} has no completions of step {step}; it has {known}")
    # Group lies after group; a problem may be drawn twice in a step.
    size = run.config.sampling.group_size
    for start in range(0, len(rows), size):
        group = rows[start : start + size]
        for row, advantage in zip(group, _advantages(run, group), strict=True):
            row["advantage"] = advantage
    return rows


def bench_completions(run: Run, bench: str) -> list[Completion]:
    """Return a bench's samples, before and after training, a row each.

    Raises:
        InputError: the run was not evaluated on the bench.
    """
    if bench not in run.benches:
        known = ", ".join(run.benches) or "none"
        raise InputError(f"{run.folder} has no samples of bench {bench!r}; it has {known}")
    rows = pq.read_table(run.bench_file(bench)).to_pylist()
    return [row | {"reward": float(bool(row["correct"]))} for row in rows]


def overview(run: Run) -> str:
    """Return in words how answers ended, the worst and best problems, and signs of hacking."""
    lines = [f"{run.folder}: {run.method}, seed {run.seed}, {run.status}"]
    for bench in run.benches:
        rows = bench_completions(run, bench)
        lines += ["", f"{bench}:"]
        for stage in ("before", "after"):
            lines.append(f"  {stage}: {_endings([r for r in rows if r['stage'] == stage])}")
        after = [row for row in rows if row["stage"] == "after"]
        lines += [f"  {line}" for line in [*_extremes(after), *_signs(rows)]]
    trained = _all_rollouts(run)
    if trained:
        first, last = trained[0]["step"], trained[-1]["step"]
        for step in (first, last):
            ended = _endings([row for row in trained if row["step"] == step])
            lines.append(f"step {step}: {ended}")
    return "\n".join(lines)


def _all_rollouts(run: Run) -> list[Completion]:
    files = sorted((run.folder / "rollouts").glob("steps-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def _advantages(run: Run, group: Sequence[Completion]) -> list[float]:
    """Return what the run's algorithm gave each completion of a group."""
    import torch

    from verirank.config import load_plugin
    from verirank.tasks import load_task

    config = run.config
    algorithm = load_plugin("algorithm", config.algorithm.name)(config.algorithm)
    rewards_PG = torch.tensor([[row["reward"] for row in group]])
    lengths_PG = torch.tensor([[row["length"] for row in group]])
    limit = config.sampling.max_new_tokens or load_task(config.task).max_new_tokens
    return algorithm.advantages(algorithm.shape_rewards(rewards_PG, lengths_PG, limit))[0].tolist()


def _endings(rows: Sequence[Completion]) -> str:
    n = max(1, len(rows))
    reasons = Counter(row["reason"] for row in rows)
    cut = sum(row["truncated"] for row in rows)
    told = [f"{100 * number / n:.1f} % {reason}" for reason, number in reasons.most_common(4)]
    return f"{', '.join(told)}; {100 * cut / n:.1f} % cut off"


def _extremes(after: Sequence[Completion], most: int = 3) -> list[str]:
    rights: dict[str, list[float]] = defaultdict(list)
    for row in after:
        rights[row["problem"]].append(row["reward"])
    order = sorted(rights, key=lambda p: (sum(rights[p]) / len(rights[p]), p))
    return [
        f"{name}: " + ", ".join(f"{p} ({sum(rights[p]):.0f}/{len(rights[p])})" for p in part)
        for name, part in (("worst", order[:most]), ("best", order[::-1][:most]))
    ]


def _signs(rows: Sequence[Completion]) -> list[str]:
    """Return what may be reward without the work: answers alike, or much shorter than before."""
    before = [r["length"] for r in rows if r["stage"] == "before" and r["reward"]]
    after = [row for row in rows if row["stage"] == "after" and row["reward"]]
    if not before or not after:
        return []
    usual = sum(before) / len(before)
    short = sum(row["length"] < _SHORT * usual for row in after) / len(after)
    alike, times = Counter(row["completion"] for row in after).most_common(1)[0]
    problems = len({row["problem"] for row in after if row["completion"] == alike})
    signs = [
        f"right answers under half of the base's usual {usual:.0f} tokens: {100 * short:.1f} %",
    ]
    if problems > 1:
        signs.append(f"one text is the right answer to {problems} problems ({times} samples)")
    return signs
