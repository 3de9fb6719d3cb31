"""Worker processes that are killed at a deadline and replaced.

Workers are plain subprocesses with a pipe each, not multiprocessing children: those import the
caller's main module anew (and with it torch), cannot be started from a daemonic process, and share
one channel, which a worker killed at the wrong moment breaks for all.
"""

from __future__ import annotations

import subprocess
import sys
from multiprocessing import Pipe
from queue import SimpleQueue
from threading import Lock

from verirank.config import RunFailedError, VerifierConfig

_START_SECONDS = 120
_ATTEMPTS = 5
_SERVE = "from verirank.verifier._worker import serve; serve({handle}, {deadline}, {memory})"


class NoWorkerError(RunFailedError, ChildProcessError):
    """An answer worker cannot start, which tells nothing of the pair that it was to compare."""


class WorkerPool:
    """Compares pairs in `config.workers` processes, started at the first pair."""

    def __init__(self, config: VerifierConfig) -> None:
        self._config = config
        self._lock = Lock()
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._workers: set[_Worker] = set()
        self._closed = False

    def compare(self, comparison: str, gold: str, prediction: str) -> tuple[bool, str]:
        """Return a verdict and its reason, at most a deadline after a free worker took the pair.

        `comparison` names the function that a worker calls, as `module:function`.

        A pair whose worker dies for another reason than its deadline is tried anew, since the
        death need not be its doing.

        Raises:
            NoWorkerError: workers cannot be started.
            RuntimeError: the pool is closed.
        """
        self._start()
        for _ in range(_ATTEMPTS):
            worker = self._idle.get()
            try:
                return worker.compare(comparison, gold, prediction)
            except NoWorkerError:
                raise
            except (EOFError, OSError):
                worker.stop()
            finally:
                self._idle.put(worker if worker.running else self._replace(worker))
        return False, "crashed"

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            self._closed = True
            while self._workers:
                self._workers.pop().stop()

    def pids(self) -> list[int]:
        """Return the process ids of the present workers."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("the verifier is closed")
            while len(self._workers) < self._config.workers:
                self._idle.put(self._add())

    def _add(self) -> _Worker:
        worker = _Worker(self._config)
        self._workers.add(worker)
        return worker

    def _replace(self, worker: _Worker) -> _Worker:
        with self._lock:
            self._workers.discard(worker)
            return worker if self._closed else self._add()


class _Worker:
    """One process and this side of its pipe; used by one thread at a time."""

    def __init__(self, config: VerifierConfig) -> None:
        self._deadline = config.deadline_seconds
        self._connection, theirs = Pipe()
        code = _SERVE.format(
            handle=theirs.fileno(), deadline=config.deadline_seconds, memory=config.memory_bytes
        )
        # A session of its own keeps Ctrl-C from it; -P keeps the caller's folder out of its path.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-c", code],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self.pid = self._process.pid
        self._started = False
        self._loaded: set[str] = set()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def compare(self, comparison: str, gold: str, prediction: str) -> tuple[bool, str]:
        """Return the worker's verdict.

        Raises:
            EOFError, OSError: the process is gone; `NoWorkerError` where it cannot start.
        """
        self._wait_for_start()
        self._load(comparison)
        healthy = False
        try:
            self._connection.send((comparison, gold, prediction))
            if not self._connection.poll(self._deadline):
                return False, "deadline"
            verdict, healthy = self._connection.recv()
            return verdict
        finally:
            # Also where Ctrl-C ended the exchange: a late verdict must not be taken for the next
            # pair's.
            if not healthy:
                self.stop()

    def stop(self) -> None:
        """Kill the process and wait for its end."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def _load(self, comparison: str) -> None:
        """Have a comparison imported before the deadline of its first pair begins."""
        if comparison in self._loaded:
            return
        self._connection.send(comparison)
        if not self._connection.poll(_START_SECONDS):
            self.stop()
        failure = self._connection.recv()
        if failure:
            raise RuntimeError(f"an answer worker cannot load {comparison}: {failure}")
        self._loaded.add(comparison)

    def _wait_for_start(self) -> None:
        if self._started:
            return
        try:
            if not self._connection.poll(_START_SECONDS):
                self.stop()
            self._connection.recv()
        except (EOFError, OSError):
            self.stop()
            if self._process.returncode > 0:
                raise NoWorkerError("an answer worker cannot start; its error is above") from None
            raise
        self._started = True
