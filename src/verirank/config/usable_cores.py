"""The cores that this process may use."""

from __future__ import annotations

import os
from collections.abc import Callable


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
