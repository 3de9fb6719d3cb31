"""What an executor is given and gives back: jobs and outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from verirank.record import DamagedError, Run
from verirank.trial import Rung, failed_for_good, record_failure

ATTEMPTS = 3
"""How often a job is begun that something else than its trial ends, without progress in between."""
POLL_SECONDS = 0.5
PATIENCE = 120.0
"""Seconds that a job waits for its trial: a worker that was given up first ends its step."""
STOPPED = 130
"""Exit code of a trial that was asked to stop and left a checkpoint."""
BUSY = 75
"""Exit code of a trial that another process is at."""
DEVICE_FAULT = 76
"""Exit code of a trial that ended with a CUDA error."""
LOST = 255
"""Exit code that multiprocessing tells of a process whose fork server is gone."""


@dataclass(frozen=True, slots=True)
class Job:
    """A started trial of a store that is to be taken to a rung, or to its end."""

    folder: Path
    store: Path
    rung: Rung | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended; `error` is None where the trial got where it was to go.

    `for_good` tells that it failed by its own fault: going on with the study leaves it as it is.
    """

    folder: Path
    error: str | None
    for_good: bool = False


class Executor(Protocol):
    """Where jobs run side by side."""

    def run(self, jobs: Sequence[Job], on_poll: Callable[[], None]) -> list[Outcome]:
        """Do every job; one that fails does not end the others.

        Args:
            jobs: the longest first.
            on_poll: is called about twice a second; progress can be read from the runs' folders.

        Returns:
            One outcome a job, in the order given.

        Raises:
            KeyboardInterrupt: every trial was asked to end its step and leave a checkpoint.
        """
        ...


def progress(folder: Path) -> str:
    """Return how far a trial is on disk: its last checkpoint and the benches that are sampled."""
    run = Run(folder)
    steps = [checkpoint.name for checkpoint in run.checkpoints()[-1:]]
    return " ".join([*steps, *sorted(file.name for file in (folder / "eval").glob("*.parquet"))])


def failure(folder: Path, otherwise: str) -> Outcome:
    """Return the outcome of a job that failed, in the words of its record, or else as `lost`."""
    try:
        manifest = Run(folder).manifest
    except DamagedError as error:
        return Outcome(folder, str(error))
    if manifest.get("status") != "failed":
        return lost(folder, otherwise)
    return Outcome(folder, str(manifest.get("error", otherwise)), failed_for_good(manifest))


def lost(folder: Path, why: str) -> Outcome:
    """Write down how something else than its trial ended a job, which may be tried again."""
    # The disk may be full, or the record damaged: the study goes on, and a resumed one finds that.
    with suppress(OSError, DamagedError):
        record_failure(Run(folder), why, "machine")
    return Outcome(folder, why)
