"""The processes' side of the pool: a server that forks workers, and workers that compare pairs."""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from time import perf_counter
from typing import Any

from verirank.verifier._direct import EQUALITY, decide
from verirank.verifier._functions import load_function
from verirank.verifier._reward import Comparison, Reward, judged

_ORPHAN_SECONDS = 30
_QUICK_SECONDS = 0.005
"""A pair that took less has not mapped much memory."""
_WARM_UP = (
    (r"2\dot{x}", r"\dot{x} 3"),
    (r"\frac{1}{2}", r"\sqrt{x}"),
    ("(1,2)", r"\{2, x^2+1\}"),
    (r"[0,\pi)", "x > 2"),
)


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
        _reward(EQUALITY, gold, prediction)
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
        _lead_a_group(0)
        control.close()
        try:
            _serve(Connection(handle), deadline_seconds, memory_bytes)
        finally:
            os._exit(0)
    else:
        _lead_a_group(pid)
    os.close(handle)
    return pid, failure


def _lead_a_group(pid: int) -> None:
    """Have a worker lead a group of its own, with which ends what a comparison has started."""
    with suppress(OSError):
        os.setpgid(pid, 0)


def _end(pid: int) -> int | None:
    # Of a group whose worker has ended by itself, macOS says that it may not be killed.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return None


def _serve(connection: Connection, deadline_seconds: float, memory_bytes: int) -> None:
    """Answer the pairs that arrive on a connection until its other end closes.

    With each reward goes whether this process is fit for another pair; one that is not ends. The
    kernel ends the process when one pair has used up its CPU seconds; time spent waiting for a core
    does not count.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    base_bytes = _mapped_bytes()
    _limit_memory(base_bytes + memory_bytes)
    while True:
        try:
            comparison, pairs = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        for question, answer in pairs:
            start = perf_counter()
            with _limited(deadline_seconds):
                reward = _reward(comparison, question, answer)
            seconds = perf_counter() - start
            # What a pair left in caches must not starve the next, whose shortage sympy might hide.
            is_quick = seconds < _QUICK_SECONDS
            fit = is_quick or _mapped_bytes() - base_bytes <= memory_bytes / 2
            connection.send((replace(reward, seconds=seconds), fit))
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


def _reward(comparison: Comparison, question: Any, answer: str) -> Reward:
    """Return what an answer earns, without its seconds."""
    try:
        if not isinstance(comparison, str):
            return comparison(question, answer)
        if comparison == EQUALITY and (decided := decide(question, answer)):
            return judged(decided.correct, decided.reason, decided.rule)
        rule = "math-verify" if comparison == EQUALITY else "the task's own"
        correct, reason = load_function(comparison)(question, answer)
        return judged(correct, reason, rule)
    except MemoryError:
        return judged(False, "memory")
    except Exception:
        return judged(False, "unparsable answer")


def _failure_of_loading(comparison: Comparison) -> str:
    try:
        load_function(comparison) if isinstance(comparison, str) else comparison.load()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


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
