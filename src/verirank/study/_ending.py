"""How far a trial goes, and how it ended; from its record alone, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from verirank.config import may_answer_later
from verirank.record import Run
from verirank.study._store import OtherInputsError

_WRONG_PATH = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
# torch has no class of its own for a CPU's memory, and a subclass of RuntimeError for a GPU's. The
# last is vLLM's, where another process has not let go of a GPU yet.
_SHORT_OF_MEMORY = ("allocate memory", "out of memory", "Free memory on device")


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
    """Return whether the machine failed (disk, memory, network, a GPU) and not the trial.

    What an error was raised from counts, too: a model that cannot be loaded is an `InputError`,
    whether its name is wrong or the disk was full.
    """
    if isinstance(error, _WRONG_PATH):
        return False
    if isinstance(error, OSError | MemoryError | OtherInputsError):
        return True
    return any(map(_is_the_machines, _with_causes(error)))


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def _is_the_machines(error: BaseException) -> bool:
    said = str(error)
    if said.startswith("CUDA error") or any(words in said for words in _SHORT_OF_MEMORY):
        return True
    if isinstance(error, _WRONG_PATH):
        return False
    # An OSError that the system has not raised has no number, and may tell of a wrong name.
    of_the_system = isinstance(error, OSError) and error.errno is not None
    return of_the_system or isinstance(error, TimeoutError) or may_answer_later(error)
