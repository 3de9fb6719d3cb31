"""The progress of training: a bar in a terminal, else a line a minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from verirank.record import duration, training_warnings

_SECONDS_BETWEEN_LINES = 60.0
_WATCHED = 70
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("reward {task.fields[reward]}"),
    TimeElapsedColumn(),
    TextColumn("ETA"),
    TimeRemainingColumn(),
)


@contextmanager
def progress(config: Any, done: int) -> Iterator[Callable[[Any], None]]:
    """Show a run's steps, and yield what is called after each of them.

    Args:
        config: the trial's settings.
        done: steps that were taken before.
    """
    console, warn = Console(), _Warnings()
    if not console.is_terminal:
        lines = _Lines(config.training.steps, done)

        def say(step: Any) -> None:
            lines(step)
            warn(step, click.echo)

        yield say
        return
    with Progress(*_COLUMNS, console=console) as shown:
        name = f"{config.method.name} · {config.algorithm.name} · {config.task.name}"
        bar = shown.add_task(name, total=config.training.steps, completed=done, reward="–")

        def on_step(step: Any) -> None:
            reward = f"{step.metrics['reward_mean']:.3f}"
            shown.update(bar, completed=step.metrics["step"], reward=reward)
            warn(step, shown.print)

        yield on_step


class _Warnings:
    """Prints each kind of warning of the training once, as soon as it holds."""

    def __init__(self) -> None:
        self._lines: deque[Any] = deque(maxlen=_WATCHED)
        self._kinds = set[str]()

    def __call__(self, step: Any, show: Callable[[str], None]) -> None:
        self._lines.append(step.metrics)
        for warning in training_warnings(list(self._lines)):
            if warning.kind not in self._kinds:
                self._kinds.add(warning.kind)
                show(f"warning {warning}")


class _Lines:
    """Prints step, reward and remaining time after the first step, then once a minute."""

    def __init__(self, steps: int, done: int) -> None:
        self._steps, self._done = steps, done
        self._began = time.monotonic()
        self._next = 0.0

    def __call__(self, step: Any) -> None:
        now, taken = time.monotonic(), step.metrics["step"]
        if now < self._next and taken < self._steps:
            return
        self._next = now + _SECONDS_BETWEEN_LINES
        each = (now - self._began) / max(taken - self._done, 1)
        left = each * (self._steps - taken)
        eta = f", about {duration(left)} left" if left else ""
        click.echo(f"step {taken}/{self._steps}: reward {step.metrics['reward_mean']:.3f}{eta}")
