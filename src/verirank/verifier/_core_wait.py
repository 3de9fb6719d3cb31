"""How long processes were ready to run and had no core, as Linux counts it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from verirank.config import waited_seconds


def group_waited_for_a_core(leader: int) -> float:
    """Return the seconds that all processes of a group have waited together."""
    waited = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(folder.name)) == leader:
                waited += waited_seconds(int(folder.name)) or 0.0
    return waited
