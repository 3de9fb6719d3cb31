"""How far a trial goes, and how it ended; from its record alone, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verirank.record import Run
from verirank.study._store import OtherInputsError


@dataclass(frozen=True, slots=True)
class Rung:
    """How far a trial of a search goes before it waits: so many steps, then a score on a bench."""

    steps: int
    bench: str


def is_finished(run: Run, rung: Rung | None = None) -> bool:
    """Return whether a run has its scores, those of a rung if one is given."""
    return run.status == "done" if rung is None else str(rung.steps) in run.selection


def record_failure(run: Run, error: str, *, passing: bool) -> None:
    """Write why a run failed; `passing` tells that another attempt may well end otherwise."""
    run.update_manifest(status="failed", error=error, passing=passing or None)


def failed_for_good(manifest: Mapping[str, Any]) -> bool:
    """Return whether a run's manifest tells that it failed by its own fault, and stays so."""
    return manifest.get("status") == "failed" and not manifest.get("passing")


def may_pass(error: Exception) -> bool:
    """Return whether the machine failed (disk, memory, a tracker, a model) and not the trial."""
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return False
    # torch has no class of its own for a CPU's memory, and a subclass of RuntimeError for a GPU's.
    out_of_memory = any(words in str(error) for words in ("allocate memory", "out of memory"))
    return isinstance(error, OSError | MemoryError | OtherInputsError) or out_of_memory
