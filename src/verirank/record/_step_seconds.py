"""The seconds of steps, and those in which a thread waited because other work had its core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_PHASES = ("seconds_sample", "seconds_verify", "seconds_train", "seconds_publish")
BUSY = 0.05
"""The fraction of its time that a thread waits for a core, from which on seconds compare little."""


def step_seconds(line: Mapping[str, Any]) -> float:
    """Return the seconds that a step of metrics.jsonl took, all its phases together."""
    return sum(line[key] for key in _PHASES)


def total_wait(records: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the `seconds_waited` of steps or manifests together; None where one has none."""
    waits = [record.get("seconds_waited") for record in records]
    return None if None in waits else sum(wait for wait in waits if wait is not None)
