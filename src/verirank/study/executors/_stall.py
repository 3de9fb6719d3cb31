"""When a trial has stopped writing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class StallClock:
    """Tells of runs that write nothing for longer than `seconds`."""

    seconds: float
    _seen: dict[Path, tuple[int, float]] = field(default_factory=dict)

    def stalls(self, folder: Path) -> bool:
        """Return whether a run's folder has been the same, whenever this asked, for too long."""
        size, now = _written(folder), time.monotonic()
        before, since = self._seen.get(folder, (None, now))
        if size != before:
            self._seen[folder] = (size, now)
            return False
        return now - since > self.seconds

    def forget(self, folder: Path) -> None:
        """Begin anew with a run that starts again, or has not begun."""
        self._seen.pop(folder, None)


def _written(folder: Path) -> int:
    """Return a number that changes whenever a run writes a step, a file or a folder."""
    paths = [folder, folder / "metrics.jsonl", folder / "eval", folder / "log.txt"]
    return sum(map(_changed, paths))


def _changed(path: Path) -> int:
    """Return when a file or folder was changed; 0 where it is not there, or cannot be seen now."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
