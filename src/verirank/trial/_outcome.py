"""How far a trial goes, and how it ended; from its record alone, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from verirank.config import FailureKind, InputError, RunFailedError
from verirank.record import Run

_WRONG_PATH = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
# torch has no class of its own for a CPU's memory, and a subclass of RuntimeError for a GPU's. The
# last is vLLM's, where another process has not let go of a GPU yet.
_SHORT_OF_MEMORY = ("allocate memory", "out of memory", "Free memory on device")

# Of torch, cuDNN, Triton, NCCL and vLLM, which have no class for it in common.
_DEVICE_FAULTS = (
    "CUDA error",
    "CUDA unknown error",
    "CUDA driver error",
    "No CUDA GPUs are available",
    "cudaGetDeviceCount",
    "cuDNN error",
    "Triton Error [CUDA]",
    "NCCL Error",
    "NCCL error",
    "unhandled cuda error",
    "Engine core initialization failed",
)


class OtherInputsError(InputError):
    """The base's weights or the task's problems are not those that a store was begun with."""


@dataclass(frozen=True, slots=True)
class Rung:
    """How far a trial of a search goes before it waits: so many steps, then a score on a bench."""

    steps: int
    bench: str


def is_finished(run: Run, rung: Rung | None = None) -> bool:
    """Return whether a run has its scores, those of a rung if one is given."""
    return run.status == "done" if rung is None else str(rung.steps) in run.selection


def record_failure(run: Run, error: str, kind: FailureKind) -> None:
    """Write why a run failed; of the machine's failures another attempt may well end otherwise."""
    run.update_manifest(status="failed", error=error, failure_kind=kind)


def failed_for_good(manifest: Mapping[str, Any]) -> bool:
    """Return whether a run failed by its own fault, so that another attempt would fail again."""
    return manifest.get("status") == "failed" and manifest.get("failure_kind") != "machine"


def failure_kind(error: Exception) -> FailureKind:
    """Return the kind of failure that an error is, as a manifest records it."""
    if may_pass(error):
        return "machine"
    if isinstance(error, RunFailedError):
        return error.failure_kind
    return "input" if isinstance(error, InputError) else "error"


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


def is_device_fault(error: BaseException) -> bool:
    """Return whether CUDA or a library on it failed, as it does on a GPU that is out of order."""
    said = " ".join(map(str, _with_causes(error)))
    return any(words in said for words in _DEVICE_FAULTS)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_the_machines(error: BaseException) -> bool:
    if is_device_fault(error) or any(words in str(error) for words in _SHORT_OF_MEMORY):
        return True
    if isinstance(error, _WRONG_PATH):
        return False
    # An OSError that the system has not raised has no number, and may tell of a wrong name.
    of_the_system = isinstance(error, OSError) and error.errno is not None
    return of_the_system or isinstance(error, TimeoutError) or _hub_is_down(error)


def _hub_is_down(error: BaseException) -> bool:
    """Return whether the Hub could not be reached, or had no answer to anything just then."""
    from huggingface_hub import errors

    if not isinstance(error, errors.HTTPError):  # type: ignore[reportPrivateImportUsage]
        return False
    response = getattr(error, "response", None)
    return response is None or response.status_code == 429 or response.status_code >= 500
