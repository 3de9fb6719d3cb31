"""Excerpts of completions for the page: notable problems of a bench, and groups of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verirank.ranking import Leaderboard
from verirank.record import (
    BenchExample,
    Completion,
    Run,
    TrainingExample,
    bench_examples,
    endings,
    read_bench_completions,
    training_examples,
)
from verirank.report._overview import endings_text, signs_text
from verirank.report._text import excerpt

MAX_CHARACTERS = 420
"""Length to which the page shortens a text."""
MAX_METHODS = 26
"""Methods whose completions the page shows, from the top of the leaderboard."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A shortened completion with its reward, its advantage (training only) and its verdict."""

    when: str
    reward: float
    advantage: float | None
    reason: str
    length: int
    truncated: bool
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Excerpts of one problem's completions; `why` says why the problem was chosen."""

    why: str
    problem: str
    prompt: str | None
    gold: str | None
    completions: tuple[Excerpt, ...]


@dataclass(frozen=True, slots=True)
class MethodReadings:
    """A run's excerpts, how its completions ended, and possible signs of reward hacking."""

    label: str
    seed: int
    folder: str
    before: str
    after: str
    signs: tuple[str, ...]
    readings: tuple[Reading, ...]


def method_readings(board: Leaderboard) -> list[MethodReadings]:
    """Return the excerpts from the first run of each of the best methods."""
    arms = {arm.label: arm for arm in board.arms}
    bench = board.sampled[0]
    return [_method(row.label, arms[row.label].runs[0], bench) for row in board.main[:MAX_METHODS]]


def _method(label: str, run: Run, bench: str) -> MethodReadings:
    rows = read_bench_completions(run, bench)
    before, after = ([r for r in rows if r["stage"] == stage] for stage in ("before", "after"))
    return MethodReadings(
        label=label,
        seed=run.seed,
        folder=run.folder.name,
        before=endings_text(endings(before)),
        after=endings_text(endings(after)),
        signs=tuple(signs_text(rows)),
        readings=(
            *map(_bench_reading, bench_examples(before, after)),
            *map(_training_reading, training_examples(run)),
        ),
    )


def _bench_reading(example: BenchExample) -> Reading:
    before, after = (f"{100 * rate:.0f} %" for rate in (example.before, example.after))
    why = f"{example.reason}: solved {before} before, {after} after"
    return _reading(why, example.samples, [row["stage"] for row in example.samples])


def _training_reading(example: TrainingExample) -> Reading:
    rewarded = f"{example.rewarded} of {example.size} completions got a reward"
    why = f"training step {example.step}: {rewarded}"
    return _reading(why, example.samples, ["in training"] * len(example.samples))


def _reading(why: str, rows: Sequence[Completion], when: Sequence[str]) -> Reading:
    first = rows[0]
    return Reading(
        why=why,
        problem=excerpt(first["problem"], MAX_CHARACTERS),
        prompt=_shortened(first.get("prompt")),
        gold=_shortened(first.get("gold")),
        completions=tuple(_excerpt(*pair) for pair in zip(rows, when, strict=True)),
    )


def _excerpt(row: Completion, when: str) -> Excerpt:
    return Excerpt(
        when=when,
        reward=row["reward"],
        advantage=row.get("advantage"),
        reason=excerpt(row["reason"], MAX_CHARACTERS),
        length=row["length"],
        truncated=row["truncated"],
        text=excerpt(row["completion"], MAX_CHARACTERS),
    )


def _shortened(text: Any) -> str | None:
    return None if text is None else excerpt(str(text), MAX_CHARACTERS)
