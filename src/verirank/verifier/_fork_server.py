"""A process that has everything imported and forks workers from itself in milliseconds.

Workers are no threads, which cannot be killed, and no multiprocessing children: those import the
caller's main module anew (and with it torch) and cannot be started from a daemonic process. The
server has one thread, so that forking is safe, and its workers share its memory.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from threading import Lock
from typing import Any

from verirank.config import RunFailedError, VerifierConfig
from verirank.verifier._reward import Comparison

_REPLY_SECONDS = 120
_END_SECONDS = 10
"""How long a process that closed its connection may take to end by itself."""
_STARTS = 5
"""How often a server is started that a signal ends before it is ready."""
_SERVE = "from verirank.verifier._worker import serve_forks; serve_forks({}, {}, {})"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class NoWorkerError(RunFailedError, ChildProcessError):
    """An answer worker cannot start, which tells nothing of the pair that it was to compare."""


class ForkServer:
    """The caller's side of the process that forks workers; may be used from any thread."""

    def __init__(self, config: VerifierConfig) -> None:
        """Start the process.

        Raises:
            NoWorkerError: it does not start.
        """
        self._lock = Lock()
        for _ in range(_STARTS):
            if self._start(config):
                return
            if self._process.returncode >= 0:
                raise NoWorkerError("an answer worker cannot start; its error is above")
        raise NoWorkerError(f"an answer worker cannot start: it was killed {_STARTS} times")

    def _start(self, config: VerifierConfig) -> bool:
        """Start the process, and tell whether it is ready; one that is not has ended."""
        self._control, theirs = Pipe()
        code = _SERVE.format(theirs.fileno(), config.deadline_seconds, config.memory_bytes)
        # A session of its own keeps Ctrl-C from it; -P keeps the caller's folder out of its path.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-c", code],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env=os.environ | _ONE_THREAD,
        )
        theirs.close()
        try:
            self._receive()
        except (EOFError, OSError):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
            self.close()
            return False
        except BaseException:
            self.close()
            raise
        return True

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def load(self, comparison: Comparison) -> None:
        """Import a comparison, so that workers forked from now on have it.

        Raises:
            RuntimeError: it cannot be imported.
            EOFError, OSError: the server is gone.
        """
        with self._exchange():
            self._control.send(("load", comparison))
            failure = self._receive()
        if failure:
            raise RuntimeError(f"an answer worker cannot load {comparison}: {failure}")

    def fork(self) -> tuple[int, Connection]:
        """Return the process id of a new worker and this end of its connection.

        Raises:
            NoWorkerError: the system allows no further process.
            EOFError, OSError: the server is gone.
        """
        ours, theirs = Pipe()
        with theirs, self._exchange():
            self._control.send(("fork", None))
            send_handle(self._control, theirs.fileno(), self._process.pid)
            pid, failure = self._receive()
        if failure:
            ours.close()
            raise NoWorkerError(f"an answer worker cannot start: {failure}")
        return pid, ours

    def end(self, pid: int) -> int | None:
        """Kill a worker and return its exit code, negative for a signal; None where nobody knows.

        A worker that had ended before keeps the exit code that it had.
        """
        try:
            with self._exchange():
                self._control.send(("end", pid))
                return self._receive()
        except (EOFError, OSError):
            # The server is gone; its workers may live on.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            return None

    def close(self) -> None:
        """Kill the process and wait for its end."""
        self._process.kill()
        self._process.wait()
        self._control.close()

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Hold the connection for a request and its reply; one that is broken off ends the server.

        A late reply would otherwise be taken for the next request's.
        """
        with self._lock:
            try:
                yield
            except BaseException:
                # Until it is waited for, a process that is being taken down seems to run.
                self._process.kill()
                self._process.wait()
                raise

    def _receive(self) -> Any:
        if not self._control.poll(_REPLY_SECONDS):
            raise TimeoutError("the server of answer workers does not reply")
        return self._control.recv()
