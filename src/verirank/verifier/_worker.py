"""The worker's side of the pool: reads pairs, sends verdicts, and can be killed at any moment."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

from verirank.verifier._direct import EQUALITY


def serve(handle: int, deadline_seconds: float, memory_bytes: int) -> None:
    """Answer the pairs that arrive on a connection until its other end closes.

    A name alone asks to import that comparison; the reply is why that failed, or nothing. With
    each verdict goes whether this process is fit for another pair.

    Args:
        handle: file descriptor of this end of the connection.
        deadline_seconds: time after which the parent kills this process over one pair.
        memory_bytes: memory that may be mapped on top of what the loaded libraries map.
    """
    logging.disable()
    connection = Connection(handle)
    _verdict(EQUALITY, r"\frac{1}{2}", r"\sqrt{x}")
    _silence()
    base_bytes = _mapped_bytes()
    _limit_memory(base_bytes + memory_bytes)
    connection.send("started")
    while True:
        try:
            message = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        if isinstance(message, str):
            connection.send(_failure_of_loading(message))
            base_bytes = _mapped_bytes()
            continue
        # The kernel ends an endless comparison even where the parent died before it could.
        signal.setitimer(signal.ITIMER_REAL, 2 * deadline_seconds + 1)
        verdict = _verdict(*message)
        signal.setitimer(signal.ITIMER_REAL, 0)
        # What a pair left in caches must not starve the next one, whose shortage sympy might hide.
        fit = _mapped_bytes() - base_bytes <= memory_bytes / 2
        connection.send((verdict, fit))


def _verdict(comparison: str, gold: str, prediction: str) -> tuple[bool, str]:
    try:
        return _function(comparison)(gold, prediction)
    except MemoryError:
        return False, "memory"
    except Exception:
        return False, "unparsable answer"


def _failure_of_loading(comparison: str) -> str:
    try:
        _function(comparison)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@cache
def _function(comparison: str) -> Callable[[str, str], tuple[bool, str]]:
    module, _, name = comparison.partition(":")
    return getattr(import_module(module), name)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())


def _mapped_bytes() -> int:
    """Return this process's address space on Linux, and 0 where it cannot be limited anyway."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _limit_memory(limit_bytes: int) -> None:
    """Limit the address space, which Linux enforces; elsewhere the deadline is the only limit."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
