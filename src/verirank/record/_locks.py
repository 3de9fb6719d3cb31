"""Files that one process holds at a time, which the system lets go of even after kill -9."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from verirank.config import InputError

LOOK_SECONDS = 1.0
"""For longer than `is_held` holds a lock that it looks at."""


class BusyError(InputError):
    """Another process is at a run or a study."""


@contextmanager
def hold(
    lock: Path,
    otherwise: str,
    patience: float = LOOK_SECONDS,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold a lock file, which the system lets go of even after kill -9.

    Args:
        lock: the file, which is created.
        otherwise: what the error says.
        patience: seconds to wait for another process to let go of it.
        on_wait: is called a few times a second meanwhile.

    Raises:
        BusyError: another process holds it, and still does after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    with lock.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError(otherwise) from None
                on_wait()
                time.sleep(0.2)
        yield


def is_held(lock: Path) -> bool:
    """Return whether a process holds a lock file."""
    if not lock.is_file():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
