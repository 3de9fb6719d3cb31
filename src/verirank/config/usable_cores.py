"""The cores that this process may use, and how long it waited for one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def waited_seconds(pid: int | None = None) -> float | None:
    """Return the seconds that a thread was ready to run and had no core, since it began.

    It is the second number of the kernel's schedstat; None on other systems than Linux.

    Args:
        pid: of the process whose main thread is meant; this thread by default.
    """
    with suppress(OSError, IndexError, ValueError):
        file = Path(f"/proc/{pid or 'thread-self'}/schedstat")
        return int(file.read_text().split()[1]) / 1e9
    return None
