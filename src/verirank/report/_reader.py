"""Real completions to read on the page: before and after training, the worst and best problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from verirank.record import Run
from verirank.report._completions import Completion, bench_completions, rollout_steps, rollouts
from verirank.report._standouts import endings, signs
from verirank.report._text import excerpt
from verirank.report.leaderboard import Leaderboard

LONGEST = 420
"""Characters of a text that the page shows."""
MOST = 26
"""Methods whose completions the page shows, from the top of the board."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One completion: `reward` and `advantage` are what it got, `answer` what it states."""

    when: str
    reward: float
    advantage: float | None
    reason: str
    length: int
    truncated: bool
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One problem with completions; `why` says what makes it worth reading."""

    why: str
    problem: str
    prompt: str | None
    gold: str | None
    completions: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class MethodReadings:
    """What one run of a method wrote, how its answers ended, and signs of reward without work."""

    label: str
    seed: int
    folder: str
    before: str
    after: str
    signs: tuple[str, ...]
    readings: tuple[Reading, ...]


def readings(board: Leaderboard) -> list[MethodReadings]:
    """Return readings from the first run of each of the board's best methods."""
    arms = {arm.label: arm for arm in board.arms}
    bench = board.sampled[0]
    return [_method(row.label, arms[row.label].runs[0], bench) for row in board.main[:MOST]]


def _method(label: str, run: Run, bench: str) -> MethodReadings:
    rows = bench_completions(run, bench)
    before, after = ([r for r in rows if r["stage"] == stage] for stage in ("before", "after"))
    return MethodReadings(
        label=label,
        seed=run.seed,
        folder=run.folder.name,
        before=endings(before),
        after=endings(after),
        signs=tuple(signs(rows)),
        readings=(*_bench_readings(before, after), *_training_readings(run)),
    )


def _bench_readings(before: list[Completion], after: list[Completion]) -> Iterator[Reading]:
    """Yield the problem that gained most, the worst and the best after training, and one cut off.

    A problem is shown once, for the first of these reasons.
    """
    was, now = _rates(before), _rates(after)
    order = sorted(now, key=lambda problem: (now[problem], problem))
    gained = sorted(now, key=lambda problem: (was.get(problem, 0.0) - now[problem], problem))
    cut = [row["problem"] for row in after if row["truncated"]]
    reasons = [
        (gained[0], "gained most"),
        (gained[-1], "gained least"),
        (order[0], "worst after training"),
        (order[-1], "best after training"),
        *[(problem, "cut off") for problem in cut[:1]],
    ]
    first: dict[str, str] = {}
    for problem, why in reasons:
        first.setdefault(problem, why)
    for problem, why in first.items():
        rate = f"{why}: solved {100 * was.get(problem, 0):.0f} % before, {100 * now[problem]:.0f} %"
        rows = [
            _telling([row for row in stage if row["problem"] == problem], right)
            for stage, right in ((before, now[problem] < was.get(problem, 0)), (after, True))
        ]
        told = [row for row in rows if row]
        yield _reading(f"{rate} after", told, [row["stage"] for row in told])


def _telling(rows: list[Completion], right: bool) -> Completion | None:
    """Return a completion that is right or wrong as is asked for, or else any."""
    wanted = [row for row in rows if bool(row["reward"]) == right]
    return next(iter([*wanted, *rows]), None)


def _training_readings(run: Run) -> Iterator[Reading]:
    """Yield a group of the first step and one of the last: its best and its worst advantage."""
    steps = rollout_steps(run)
    for step in dict.fromkeys(steps[:1] + steps[-1:]):
        group = _mixed_group(rollouts(run, step), run.settings["sampling"]["group_size"])
        best = max(group, key=lambda row: row["advantage"])
        worst = min(group, key=lambda row: row["advantage"])
        told = [best, worst] if best is not worst else [best]
        right = sum(row["reward"] > 0 for row in group)
        why = f"training step {step}: {right} of {len(group)} completions got a reward"
        yield _reading(why, told, ["in training"] * len(told))


def _mixed_group(rows: list[Completion], size: int) -> list[Completion]:
    """Return the first group with both right and wrong completions, or else the first."""
    groups = [rows[start : start + size] for start in range(0, len(rows), size)]
    mixed = (group for group in groups if len({row["reward"] for row in group}) > 1)
    return next(mixed, groups[0])


def _reading(why: str, rows: Sequence[Completion], when: Sequence[str]) -> Reading:
    first = rows[0]
    return Reading(
        why=why,
        problem=excerpt(first["problem"], LONGEST),
        prompt=_text(first.get("prompt")),
        gold=_text(first.get("gold")),
        completions=tuple(_shown(*pair) for pair in zip(rows, when, strict=True)),
    )


def _shown(row: Completion, when: str) -> Shown:
    return Shown(
        when=when,
        reward=row["reward"],
        advantage=row.get("advantage"),
        reason=excerpt(row["reason"], LONGEST),
        length=row["length"],
        truncated=row["truncated"],
        text=excerpt(row["completion"], LONGEST),
    )


def _text(text: Any) -> str | None:
    return None if text is None else excerpt(str(text), LONGEST)


def _rates(rows: list[Completion]) -> dict[str, float]:
    rewards: dict[str, list[float]] = {}
    for row in rows:
        rewards.setdefault(row["problem"], []).append(row["reward"])
    return {problem: fmean(found) for problem, found in rewards.items()}
