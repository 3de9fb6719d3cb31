"""What stands out in a run's completions: endings, hard and easy problems, reward without work."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from verirank.record import Run
from verirank.report._completions import Completion, all_rollouts, bench_completions
from verirank.report._text import readable

_SHORT = 0.5
"""A right answer in less than this share of the usual length is worth a look."""


def overview(run: Run) -> str:
    """Return in words how answers ended, the worst and best problems, and signs of hacking."""
    lines = [f"{run.folder}: {run.method}, seed {run.seed}, {run.status}"]
    for bench in run.benches:
        rows = bench_completions(run, bench)
        lines += ["", f"{bench}:"]
        for stage in ("before", "after"):
            lines.append(f"  {stage}: {endings([r for r in rows if r['stage'] == stage])}")
        after = [row for row in rows if row["stage"] == "after"]
        lines += [f"  {line}" for line in [*_extremes(after), *signs(rows)]]
    trained = all_rollouts(run)
    if trained:
        first, last = trained[0]["step"], trained[-1]["step"]
        for step in (first, last):
            ended = endings([row for row in trained if row["step"] == step])
            lines.append(f"step {step}: {ended}")
    return readable("\n".join(lines))


def endings(rows: Sequence[Completion]) -> str:
    """Return how completions ended: the four most frequent verdicts, and how many were cut off."""
    reasons = Counter(row["reason"] for row in rows)
    told = [f"{_share(n, rows)} {reason}" for reason, n in reasons.most_common(4)]
    return f"{', '.join(told)}; {_share(sum(row['truncated'] for row in rows), rows)} cut off"


def by_solve_rate(rows: Sequence[Completion]) -> list[tuple[str, float, int]]:
    """Return problem, sum of rewards and number of completions, the least solved first."""
    rewards: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        rewards[row["problem"]].append(row["reward"])
    order = sorted(rewards, key=lambda p: (sum(rewards[p]) / len(rewards[p]), p))
    return [(problem, sum(rewards[problem]), len(rewards[problem])) for problem in order]


def signs(rows: Sequence[Completion]) -> list[str]:
    """Return what may be reward without the work, each sign before and after training.

    A sign is no proof: it says where to read. One line tells of each, also where there is none.

    Args:
        rows: a bench's samples of both stages.
    """
    stages = [[r for r in rows if r["stage"] == stage] for stage in ("before", "after")]
    rights = [[row for row in stage if row["reward"]] for stage in stages]
    if not all(rights):
        return []
    usual = sum(row["length"] for row in rights[0]) / len(rights[0])
    told: list[tuple[str, Callable[[Completion], bool]]] = [
        (
            f"right answers under half of the base's usual {usual:.0f} tokens",
            lambda row: row["length"] < _SHORT * usual,
        ),
        (
            "right answers in a text that states several",
            lambda row: row["completion"].count("\\boxed{") > 1,
        ),
    ]
    lines = []
    for words, is_sign in told:
        before, after = (_share(sum(map(is_sign, right)), right) for right in rights)
        lines.append(f"{words}: {before} before, {after} after")
    before, after = (_share(sum(row["truncated"] for row in stage), stage) for stage in stages)
    return [*lines, f"cut off: {before} before, {after} after", *_one_for_many(rights[1])]


def _one_for_many(right: Sequence[Completion]) -> list[str]:
    alike, times = Counter(row["completion"] for row in right).most_common(1)[0]
    problems = len({row["problem"] for row in right if row["completion"] == alike})
    if problems < 2:
        return []
    return [f"one text is the right answer to {problems} problems ({times} samples)"]


def _extremes(after: Sequence[Completion], most: int = 3) -> list[str]:
    order = by_solve_rate(after)
    return [
        f"{name}: " + ", ".join(f"{problem} ({right:.0f}/{n})" for problem, right, n in part)
        for name, part in (("worst", order[:most]), ("best", order[::-1][:most]))
    ]


def _share(number: int, rows: Sequence[Completion]) -> str:
    return f"{100 * number / max(1, len(rows)):.1f} %"
