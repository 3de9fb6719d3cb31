"""The worker's side of the pool: reads pairs, sends verdicts, and can be killed at any moment."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path


def serve(handle: int, deadline_seconds: float, memory_bytes: int) -> None:
    """Answer the pairs that arrive on a connection until its other end closes.

    Args:
        handle: file descriptor of this end of the connection.
        deadline_seconds: time after which the parent kills this process over one pair.
        memory_bytes: memory that may be mapped on top of what the loaded libraries map.
    """
    from verirank.verifier._equality import compare

    logging.disable()
    connection = Connection(handle)
    compare(r"\frac{1}{2}", r"\sqrt{x}")
    _silence()
    _limit_memory(memory_bytes)
    connection.send("started")
    while True:
        try:
            gold, prediction = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        # The kernel ends an endless comparison even where the parent died before it could.
        signal.setitimer(signal.ITIMER_REAL, 2 * deadline_seconds + 1)
        try:
            verdict = compare(gold, prediction)
        except MemoryError:
            verdict = False, "memory"
        except Exception:
            verdict = False, "unparsable answer"
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send(verdict)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())


def _limit_memory(extra_bytes: int) -> None:
    """Limit the address space, which Linux enforces; elsewhere the deadline is the only limit."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + extra_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
