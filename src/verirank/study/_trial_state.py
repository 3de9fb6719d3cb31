"""How a trial stands, as its folder shows it: what a study runs, plans and reports from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from verirank.config import DURING
from verirank.record import DamagedError, Run, TrialEntry, step_seconds
from verirank.study._search_record import search_end
from verirank.trial import Rung, failed_for_good

State = Literal[
    "waiting",
    "running",
    "interrupted",
    "paused",
    "searched",
    "pruned",
    "stopped",
    "failed",
    "done",
]
ENDED = frozenset({"done", "searched", "pruned", "failed"})
"""States that a trial leaves only if it is run again."""


@dataclass(frozen=True, slots=True)
class TrialState:
    """How a trial stands.

    Args:
        state: in one word.
        manifest: of its run; empty before the run exists, and of a damaged run.
        metrics: the lines of a trial that is under way; of one that is done they are not read.
        scored: the training steps at which a search has scored it.
        error: why it failed.
        is_damaged: a file of the run cannot be read. Without its folder the trial is trained again.
    """

    state: State
    manifest: Mapping[str, Any]
    metrics: Sequence[dict[str, Any]] = ()
    scored: frozenset[int] = frozenset()
    error: str | None = None
    is_damaged: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether a study that goes on leaves the trial as it is."""
        return self.failed_for_good if self.state == "failed" else self.state in ENDED

    @property
    def failed_for_good(self) -> bool:
        """Whether the trial failed by its own fault."""
        return failed_for_good(self.manifest)

    def reached(self, rung: Rung | None) -> bool:
        """Return whether the trial has its score at a rung, or all scores where there is none."""
        return self.state == "done" if rung is None else rung.steps in self.scored

    @property
    def seconds(self) -> float:
        """The seconds that the steps of a trial under way have taken."""
        return sum(map(step_seconds, self.metrics))

    @property
    def seconds_during(self) -> float:
        """The seconds that its scores during training have taken."""
        name = f"seconds_{DURING}"
        of_steps = sum(line.get(name, 0.0) for line in self.metrics)
        return self.manifest.get(name, 0.0) if self.state == "done" else of_steps

    def step(self, steps: int) -> int:
        """Return the training steps taken of so many."""
        if self.state == "done":
            return steps
        return self.metrics[-1]["step"] if self.metrics else 0


def read_state(
    run: Run, entry: TrialEntry | None = None, pruned: frozenset[str] = frozenset()
) -> TrialState:
    """Return how a trial stands.

    Args:
        run: its folder, which need not exist.
        entry: its line in the study's list; None where its part in a search does not matter.
        pruned: the folder names of the trials that the study's search has pruned.
    """
    try:
        return _read(run, entry, pruned)
    except DamagedError as error:
        return TrialState("failed", {}, error=str(error), is_damaged=True)


def _read(run: Run, entry: TrialEntry | None, pruned: frozenset[str]) -> TrialState:
    manifest = run.manifest
    if not manifest:
        return TrialState("waiting", manifest)
    state: State = manifest.get("status", "waiting")
    metrics = [] if state == "done" else run.metrics()
    if state == "running" and not run.is_being_written:
        state = "interrupted" if metrics else "waiting"
    if entry and entry.role == "search" and state in ("paused", "stopped", "interrupted"):
        # One that was killed or stopped once it had its score owes nothing more.
        state = search_end(run, entry.steps, pruned) or state
    scored = frozenset(map(int, run.selection))
    return TrialState(state, manifest, metrics, scored, manifest.get("error"))
