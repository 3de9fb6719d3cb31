"""The errors that end a command or a run."""

from __future__ import annotations

from typing import ClassVar, Literal


class InputError(ValueError):
    """The input was wrong: the message says what, where, and what to do (exit code 2)."""


FailureKind = Literal["diverged", "error", "input", "invalid", "machine", "unproven"]
"""Why a run failed; see `RunFailedError.failure_kind`."""
MEASURES_NOTHING: frozenset[FailureKind] = frozenset({"input", "invalid", "unproven"})
"""Failures that say nothing of how good a method is: the run has no score, not even the base's."""


class RunFailedError(RuntimeError):
    """A check or a run failed, though the input was right (exit code 1).

    `failure_kind` goes into the manifest of a run that ends so: `diverged` where weights or
    gradients were not finite, `invalid` where the run measures nothing (its base changed, say),
    `unproven` where the method failed a check, `error` for everything else.
    """

    failure_kind: ClassVar[FailureKind] = "error"


def in_words(error: BaseException) -> str:
    """Return what an error says, for a record or a message.

    What is written for users stands alone; of any other error, its class is all that a developer
    may have.
    """
    if isinstance(error, InputError | RunFailedError) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"


class AlreadyReportedError(RunFailedError):
    """Another process of the same trial failed and reports why; this one ends without a message."""
