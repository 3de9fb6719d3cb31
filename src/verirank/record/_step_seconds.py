"""The seconds of a step, and those in which a thread waited because other work had its core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_PHASES = ("seconds_sample", "seconds_verify", "seconds_train", "seconds_publish")
BUSY = 0.05
"""The fraction of its time that a thread waits for a core, from which on seconds compare little."""


def step_seconds(line: Mapping[str, Any]) -> float:
    """Return the seconds that a step of metrics.jsonl took, all its phases together."""
    return sum(line[key] for key in _PHASES)


def waited_seconds() -> float | None:
    """Return the seconds that this thread has waited for a core since it began.

    It is the second number of the kernel's schedstat; None on other systems than Linux.
    """
    with suppress(OSError, IndexError, ValueError):
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    return None


def total_wait(records: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the `seconds_waited` of steps or manifests together; None where one has none."""
    waits = [record.get("seconds_waited") for record in records]
    return None if None in waits else sum(wait for wait in waits if wait is not None)
