"""Worker processes that end at a deadline of their own CPU time and are replaced."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import BoundedSemaphore, Lock
from time import perf_counter
from typing import Any

from verirank.config import VerifierConfig, usable_cores, waited_seconds
from verirank.verifier._core_wait import group_waited_for_a_core
from verirank.verifier._direct import EQUALITY
from verirank.verifier._fork_server import ForkServer, NoWorkerError
from verirank.verifier._reward import Comparison, Reward, judged

UNVERIFIED = "unverified"
"""The reason of a pair that was not decided in time for want of CPU."""

FAILURES = frozenset({"deadline", "memory", "crashed"})
"""The reasons of pairs that the verifier did not decide though it had CPU for them."""

_ATTEMPTS = 5
_WAIT_SECONDS = 0.7
"""How much longer than its deadline a pair may take by the clock."""
_BATCH = 16
"""Pairs that a worker is given at once: a message a pair would cost more than most comparisons."""

Pair = tuple[Any, str]
"""A gold answer, or a grader's problem, and the text to judge."""


class WorkerPool:
    """Compares pairs in `config.workers` processes, one a core where it is None.

    A worker starts when a pair needs it and none is idle.
    """

    def __init__(self, config: VerifierConfig) -> None:
        self._config = config
        self._size = config.workers or usable_cores()
        self._free = BoundedSemaphore(self._size)
        self._lock = Lock()
        self._server: ForkServer | None = None
        self._comparisons: frozenset[Comparison] = frozenset({EQUALITY})
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._closed = False

    def compare(self, comparison: Comparison, pairs: Sequence[Pair]) -> list[Reward]:
        """Return the reward of every pair, `_WAIT_SECONDS` after its deadline at the latest.

        `comparison` names the function that a worker calls, as `module:function`, or is a grader.

        A pair that used up its CPU seconds is wrong (deadline); one that was not decided in time
        for another reason, such as a busy machine, is `unverified`. A grader may also sleep, or
        wait for others: its deadline then goes by the clock, without the time that it waited for a
        core. A pair whose worker dies otherwise is tried anew, since the death need not be its
        doing.

        Raises:
            NoWorkerError: workers cannot be started.
            RuntimeError: the pool is closed, or the comparison cannot be imported.
        """
        size = max(1, min(_BATCH, len(pairs) // (4 * self._size)))
        batches = [pairs[start : start + size] for start in range(0, len(pairs), size)]
        if len(batches) < 2:
            return self._compare_batch(comparison, pairs)
        with ThreadPoolExecutor(min(self._size, len(batches))) as threads:
            rewards = threads.map(lambda batch: self._compare_batch(comparison, batch), batches)
            return [reward for batch in rewards for reward in batch]

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.end()
            self._workers.clear()
            if self._server is not None:
                self._server.close()

    def pids(self) -> list[int]:
        """Return the process ids of the present workers."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def _compare_batch(self, comparison: Comparison, pairs: Sequence[Pair]) -> list[Reward]:
        rewards: list[Reward] = []
        deaths = 0
        with self._free:
            while len(rewards) < len(pairs):
                before = len(rewards)
                worker = self._take(comparison)
                rewards += self._rewards(worker, comparison, pairs[before:])
                deaths = deaths + 1 if len(rewards) == before else 0
                if deaths == _ATTEMPTS:
                    rewards.append(judged(False, "crashed"))
                    deaths = 0
        return rewards

    def _take(self, comparison: Comparison) -> _Worker:
        """Return an idle worker that has a comparison, or a new one."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the verifier is closed")
            while self._idle:
                worker = self._idle.pop()
                if comparison in worker.comparisons and not worker.is_gone:
                    return worker
                self._workers.discard(worker)
                worker.end()
            worker = self._new(comparison)
            self._workers.add(worker)
            return worker

    def _new(self, comparison: Comparison) -> _Worker:
        """Return a new worker, of another server where the present one dies meanwhile."""
        for _ in range(_ATTEMPTS):
            try:
                return self._forked(comparison)
            except NoWorkerError:
                raise
            except (EOFError, OSError):
                continue
        raise NoWorkerError("an answer worker cannot start: the server of workers dies every time")

    def _forked(self, comparison: Comparison) -> _Worker:
        if self._server is None or not self._server.running:
            self._server = ForkServer(self._config)
            self._comparisons = frozenset({EQUALITY})
        if comparison not in self._comparisons:
            self._server.load(comparison)
            self._comparisons |= {comparison}
        limit = self._config.deadline_seconds + _WAIT_SECONDS
        return _Worker(self._server, self._comparisons, limit)

    def _rewards(
        self, worker: _Worker, comparison: Comparison, pairs: Sequence[Pair]
    ) -> Iterator[Reward]:
        """Yield rewards in order until all are there or the worker is gone."""
        healthy = False
        start, waited = perf_counter(), 0.0
        try:
            worker.send(comparison, pairs)
            for _ in pairs:
                start = perf_counter()
                waited = 0.0 if isinstance(comparison, str) else waited_seconds(worker.pid) or 0.0
                reward, healthy = worker.receive()
                # A worker that got no core did not see how long its pair had waited.
                yield replace(reward, seconds=max(reward.seconds, perf_counter() - start))
                if not healthy:
                    return
        except TimeoutError:
            healthy = False
            seconds = perf_counter() - start
            reason = UNVERIFIED
            if not isinstance(comparison, str):
                had = seconds - (group_waited_for_a_core(worker.pid) - waited)
                reason = "deadline" if had >= self._config.deadline_seconds else UNVERIFIED
            yield judged(False, reason, seconds=seconds)
        except (EOFError, OSError):
            healthy = False
            if worker.end() == -signal.SIGPROF:
                yield judged(False, "deadline", seconds=perf_counter() - start)
        except BaseException:
            # Ctrl-C ended the exchange: a late verdict must not be taken for the next pair's.
            healthy = False
            raise
        finally:
            self._put_back(worker) if healthy else self._drop(worker)

    def _put_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def _drop(self, worker: _Worker) -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.end()


class _Worker:
    """One process and this side of its connection; used by one thread at a time."""

    def __init__(
        self, server: ForkServer, comparisons: frozenset[Comparison], limit: float
    ) -> None:
        self._server = server
        self._limit = limit
        self._ended = False
        self.comparisons = comparisons
        self.pid, self._connection = server.fork()

    @property
    def is_gone(self) -> bool:
        """Whether the process, which has nothing to say while it is idle, has closed its end."""
        try:
            return self._connection.poll()
        except OSError:
            return True

    def send(self, comparison: Comparison, pairs: Sequence[Pair]) -> None:
        """Hand over pairs, which the process compares one after the other."""
        self._connection.send((comparison, list(pairs)))

    def receive(self) -> tuple[Reward, bool]:
        """Return the next reward, and whether the process is still fit.

        Raises:
            TimeoutError: there is no verdict in time.
            EOFError, OSError: the process is gone.
        """
        if not self._connection.poll(self._limit):
            raise TimeoutError
        return self._connection.recv()

    def end(self) -> int | None:
        """Kill the process and return its exit code, the first time; None where nobody knows."""
        if self._ended:
            return None
        self._ended = True
        code = self._server.end(self.pid)
        self._connection.close()
        return code
