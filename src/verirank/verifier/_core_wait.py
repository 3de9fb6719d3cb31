"""How long processes were ready to run and had no core, as Linux counts it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def waited_for_a_core(pid: int) -> float:
    """Return the seconds that a process's main thread has waited; 0 where nobody tells."""
    with suppress(OSError, ValueError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def group_waited_for_a_core(leader: int) -> float:
    """Return the seconds that all processes of a group have waited together."""
    waited = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(folder.name)) == leader:
                waited += waited_for_a_core(int(folder.name))
    return waited
