"""The processes' side of the pool: a server that forks workers, and workers that compare pairs."""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from time import perf_counter

from verirank.verifier._direct import EQUALITY, decide

_ORPHAN_SECONDS = 30
_QUICK_SECONDS = 0.005
"""A pair that took less has not mapped much memory."""
_WARM_UP = (
    (r"2\dot{x}", r"\dot{x} 3"),
    (r"\frac{1}{2}", r"\sqrt{x}"),
    ("(1,2)", r"\{2, x^2+1\}"),
    (r"[0,\pi)", "x > 2"),
)

Verdict = tuple[bool, str, str]


def serve_forks(handle: int, deadline_seconds: float, memory_bytes: int) -> None:
    """Fork, end and report on workers as a connection asks, until its other end closes.

    Args:
        handle: file descriptor of this end of the connection.
        deadline_seconds: CPU seconds that a worker may spend on one pair.
        memory_bytes: memory that a worker may map on top of what the loaded libraries map.
    """
    logging.disable()
    control = Connection(handle)
    for gold, prediction in _WARM_UP:
        _verdict(EQUALITY, gold, prediction)
    _silence()
    # The workers share these pages as long as no collection writes into them.
    gc.freeze()
    control.send("started")
    while True:
        try:
            request, argument = control.recv()
        except (EOFError, ConnectionResetError):
            return
        if request == "load":
            control.send(_failure_of_loading(argument))
        elif request == "fork":
            control.send(_fork(control, deadline_seconds, memory_bytes))
        else:
            control.send(_end(argument))


def _fork(control: Connection, deadline_seconds: float, memory_bytes: int) -> tuple[int, str]:
    """Return a new worker's process id, and why there is none."""
    handle = recv_handle(control)
    try:
        pid = os.fork()
    except OSError as error:
        pid, failure = 0, str(error)
    else:
        failure = ""
    if pid == 0 and not failure:
        control.close()
        try:
            _serve(Connection(handle), deadline_seconds, memory_bytes)
        finally:
            os._exit(0)
    os.close(handle)
    return pid, failure


def _end(pid: int) -> int | None:
    try:
        os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except (ProcessLookupError, ChildProcessError):
        return None


def _serve(connection: Connection, deadline_seconds: float, memory_bytes: int) -> None:
    """Answer the pairs that arrive on a connection until its other end closes.

    With each verdict go its seconds, and whether this process is fit for another pair; one that is
    not ends. The kernel ends the process when one pair has used up its CPU seconds; time spent
    waiting for a core does not count.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    base_bytes = _mapped_bytes()
    _limit_memory(base_bytes + memory_bytes)
    while True:
        try:
            comparison, pairs = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        for gold, prediction in pairs:
            start = perf_counter()
            with _limited(deadline_seconds):
                verdict = _verdict(comparison, gold, prediction)
            seconds = perf_counter() - start
            # What a pair left in caches must not starve the next, whose shortage sympy might hide.
            is_quick = seconds < _QUICK_SECONDS
            fit = is_quick or _mapped_bytes() - base_bytes <= memory_bytes / 2
            connection.send((*verdict, seconds, fit))
            if not fit:
                return


@contextmanager
def _limited(deadline_seconds: float) -> Iterator[None]:
    """Have the kernel end this process once the block has used up its CPU seconds."""
    signal.setitimer(signal.ITIMER_PROF, deadline_seconds)
    # Ends a comparison that sleeps where the caller died before it could.
    signal.setitimer(signal.ITIMER_REAL, deadline_seconds + _ORPHAN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _verdict(comparison: str, gold: str, prediction: str) -> Verdict:
    """Return whether an answer is right, the reason, and the rule that decided."""
    try:
        if comparison == EQUALITY and (decided := decide(gold, prediction)):
            return decided.correct, decided.reason, decided.rule
        rule = "math-verify" if comparison == EQUALITY else "the task's own"
        return *_function(comparison)(gold, prediction), rule
    except MemoryError:
        return False, "memory", "none"
    except Exception:
        return False, "unparsable answer", "none"


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
