"""The live table of a study, read from its folder; plain lines without a terminal."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from verirank.cli.tables._axes import axes_in_words
from verirank.config import InputError
from verirank.record import duration

if TYPE_CHECKING:
    from verirank.study import RaceStatus, StudyStatus, TrialStatus

_SHARE = 0.05
"""Of the time, that reading the folder may take."""
_MOST_ROWS = 40
_ENDS = ("done", "searched", "pruned")
_RACE_ENDS = {
    "racing": "in the race",
    "leader": "leader",
    "behind": "behind",
    "equal": "equal to the leader",
    "open": "not told from the leader",
    "budget": "in the race when the budget was used up",
    "unmeasured": "out: a trial measures nothing",
}
_STYLES = {"failed": "red", "running": "bold", "done": "", "interrupted": "yellow"}


class Watch:
    """Shows the status of the study in a folder at each refresh."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False)
        self._printed: dict[str, str] = {}
        self._next = 0.0
        self._wrong = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._next = 0.0
            self.refresh()
        self._live.stop()

    def refresh(self) -> StudyStatus | None:
        """Show what has changed and return it, unless that was done a moment ago.

        A file that cannot be read is reported once and does not end the study.
        """
        from verirank.study import study_status

        began = time.monotonic()
        if began < self._next:
            return None
        try:
            status = study_status(self._out)
        except (InputError, OSError) as error:
            if str(error) != self._wrong:
                self._wrong = str(error)
                click.echo(f"verirank: {error}", err=True)
            return None
        if self._console.is_terminal:
            self._live.update(render(status, self._console.width), refresh=True)
        else:
            self._tell(status)
        self._next = time.monotonic() + (time.monotonic() - began) / _SHARE
        return status

    def _tell(self, status: StudyStatus) -> None:
        from verirank.study import ENDED

        axes, states = axes_in_words([trial.axes for trial in status.trials]), {"running", *ENDED}
        for trial, own in zip(status.trials, axes, strict=True):
            # One that failed before says so until its next attempt has begun, and ends once more.
            if trial.state not in states or trial.state == self._printed.get(trial.id):
                continue
            self._printed[trial.id] = trial.state
            name = f"{trial.id} ({own})" if own else trial.id
            if trial.state == "running":
                click.echo(f"{name}: running")
                continue
            ended = sum(state in ENDED for state in self._printed.values())
            click.echo(f"[{ended}/{len(status.trials)}] {name}: {trial.state}{_note(trial)}")


def render(status: StudyStatus, width: int = 200) -> Group:
    """Return the table of a study's trials, those under way first, and a line of totals.

    Args:
        status: how the study stands.
        width: columns of the terminal.
    """
    order = ("running", "failed", "interrupted", "stopped", "paused", "waiting", *_ENDS)
    trials = sorted(status.trials, key=lambda trial: order.index(trial.state))
    axes = axes_in_words([trial.axes for trial in trials])
    extra = ["axes"] if any(axes) else []
    table = Table(box=None, pad_edge=False, header_style="dim")
    titles = ("trial", *extra, "lr", "state", "step", "Avg@k")
    for title in (*titles, "reward"):
        table.add_column(title, no_wrap=True, justify="right" if title == "Avg@k" else "left")
    rows = [
        (trial.id, *([own] if extra else []), *_cells(trial))
        for trial, own in list(zip(trials, axes, strict=True))[:_MOST_ROWS]
    ]
    # Where a terminal is narrow, the curves give way, not what names a trial.
    used = sum(2 + max(map(len, column)) for column in zip(titles, *rows, strict=True))
    for trial, row in zip(trials, rows, strict=False):
        reward = _reward(trial, width - used)
        table.add_row(*row, reward, style=_STYLES.get(trial.state, "dim"))
    hidden = len(trials) - _MOST_ROWS
    more = [Text(f"and {hidden} more", style="dim")] if hidden > 0 else []
    return Group(table, *more, Text(summary(status), style="bold"))


def _note(trial: TrialStatus) -> str:
    """Return how a trial ended: its error, or its score and all its seconds."""
    if trial.state == "failed":
        return f" ({trial.error})" if trial.error else ""
    score = "" if trial.score is None else f", {100 * trial.score:.1f} %"
    seconds = trial.seconds + trial.seconds_evaluate
    return score + (f", {duration(seconds)}" if seconds else "")


def _cells(trial: TrialStatus) -> tuple[str, ...]:
    return (
        f"{trial.learning_rate:g}",
        trial.state,
        f"{trial.step}/{trial.steps}",
        "" if trial.score is None else f"{100 * trial.score:.1f}",
    )


def _reward(trial: TrialStatus, width: int) -> str:
    """Return a trial's latest reward and the curve of all, or why it failed."""
    if trial.state == "failed":
        return trial.error or ""
    if not trial.rewards:
        return ""
    curve = _sparkline(trial.rewards, min(30, width - 5)) if width > 8 else ""
    return f"{trial.rewards[-1]:.2f} {curve}".rstrip()


def summary(status: StudyStatus) -> str:
    """Return the totals in a line: how many trials are in which state, and how long it takes."""
    states = (*_ENDS, "running", "paused", "waiting", "interrupted", "stopped", "failed")
    counts = [f"{status.count(state)} {state}" for state in states if status.count(state)]
    eta = status.eta_seconds
    left = f", about {duration(eta)} left" if eta else ""
    said = f"{status.name}: {len(status.trials)} trials, {', '.join(counts)}{left}"
    return "\n".join([said, *_race(status.race)])


def _race(race: RaceStatus | None) -> list[str]:
    """Return how a race stands, in a line."""
    if race is None:
        return []
    ends = "; ".join(f"{_RACE_ENDS[end]}: {', '.join(arms)}" for end, arms in race.ends.items())
    when = "the race is over" if race.is_over else f"the next look is after {race.next_look} seeds"
    leader = f", {race.leader} leads" if race.leader and not race.is_over else ""
    return [f"race: {when}{leader}. {ends}"]


def _sparkline(rewards: tuple[float, ...], width: int = 30) -> str:
    size = max(1, -(-len(rewards) // width))
    parts = [rewards[start : start + size] for start in range(0, len(rewards), size)]
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(8 * sum(part) / len(part)))] for part in parts)
