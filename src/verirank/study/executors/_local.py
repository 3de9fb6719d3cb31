"""Trials as parallel processes on this machine, of one or more threads each."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import psutil

from verirank.config import InputError, TrialConfig
from verirank.record import Run
from verirank.study.executors._capacity import Capacity, Slot, gpus_here
from verirank.study.executors._gpu_health import GPUHealth
from verirank.study.executors._jobs import (
    ATTEMPTS,
    BUSY,
    DEVICE_FAULT,
    LOST,
    POLL_SECONDS,
    STOPPED,
    Job,
    Outcome,
    failure,
    lost,
    progress,
)
from verirank.study.executors._stall import StallClock

_PRELOAD = ["verirank.study.executors._worker"]


def thread_environment(threads: int) -> dict[str, str]:
    """Return the environment of a process that computes on so many threads."""
    return {
        "OMP_NUM_THREADS": str(threads),
        # Threads that spin while they wait collapse once two processes share the cores.
        "KMP_BLOCKTIME": "0",
        "OMP_WAIT_POLICY": "passive",
        "TOKENIZERS_PARALLELISM": "false",
    }


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A job that has yet to start, or to start again."""

    job: Job
    number: int = 1
    """Of its next attempt; progress since the attempt before begins the count anew."""
    avoid: frozenset[str] = frozenset()
    """GPUs on which it ended with a CUDA error."""

    def again(self, progressed: bool) -> _Waiting:
        return replace(self, number=1 if progressed else self.number + 1)


@dataclass
class _Attempt:
    """A job's process and its slot."""

    of: _Waiting
    process: ForkServerProcess
    slot: Slot
    began_at: str
    """The progress of its trial when the process started."""
    largest: int = 0
    """Bytes that it had at most, as often as that was asked."""
    stalled: bool = False
    at_fault: bool = False
    """Whether the trial has failed on two GPUs."""

    @property
    def job(self) -> Job:
        return self.of.job

    @property
    def died(self) -> bool:
        """Whether something else than the trial itself ended the process."""
        code = self.process.exitcode
        return code is not None and (code < 0 or code in (STOPPED, LOST, DEVICE_FAULT))

    @property
    def may_blame_gpu(self) -> bool:
        """Whether a GPU that fails can end a trial so: by an error, an abort, or not at all."""
        crashes = (DEVICE_FAULT, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS)
        return self.stalled or self.process.exitcode in crashes

    @property
    def next(self) -> _Waiting | None:
        """The attempt that follows, if this one has died and there may be another."""
        if not self.died or self.stalled or self.at_fault:
            return None
        again = self.of.again(progress(self.job.folder) != self.began_at)
        if self.may_blame_gpu and self.slot.gpu is not None:
            again = replace(again, avoid=again.avoid | {self.slot.gpu})
        return again if again.number <= ATTEMPTS else None


@dataclass
class LocalExecutor:
    """Processes on this machine.

    Args:
        processes: how many trials run at the same time; None takes all GPUs, or all cores where
            trials compute on the CPU, as far as the free memory suffices for what is planned for a
            trial, and for what the largest had that has ended well.
        threads: of each trial. Results are the same to the bit on the same number of threads only.
        stall_seconds: a trial that writes nothing for so long is killed.
        gpus: as CUDA_VISIBLE_DEVICES names them; all of this machine by default.
    """

    processes: int | None = None
    threads: int = 1
    stall_seconds: float = 3600.0
    gpus: Sequence[str] = field(default_factory=gpus_here)
    _health: GPUHealth = field(init=False)

    def __post_init__(self) -> None:
        self._health = GPUHealth(list(self.gpus))

    def run(self, jobs: Sequence[Job], on_poll: Callable[[], None] = lambda: None) -> list[Outcome]:
        """See `Executor.run`; a process that is killed starts again from its last checkpoint.

        A trial that ends with a CUDA error starts again on another GPU, and is given up if that
        fails, too. A GPU that fails two trials one after the other gets no other.
        """
        outcomes: dict[Path, Outcome] = {}
        waiting = [_Waiting(job) for job in jobs]
        capacity = Capacity(self.processes, self.threads, self._health.good)
        clock = StallClock(self.stall_seconds)
        trial_of = lru_cache(_trial_of)  # the next job is asked for at every poll
        with threads_each(self.threads) as context, _ending_together(self.stall_seconds) as running:
            while waiting or running:
                while waiting:
                    job = waiting[0].job
                    try:
                        taken = [(a.slot, _resident(a.process)) for a in running.values()]
                        slot = capacity.slot(trial_of(job), taken, waiting[0].avoid)
                    except InputError as error:  # of this trial, whose file is damaged
                        outcomes[job.folder] = lost(job.folder, str(error))
                        del waiting[0]
                        continue
                    if slot is None:
                        break
                    clock.forget(job.folder)
                    began_at = progress(job.folder)
                    process = _start(context, job, self.threads, slot)
                    running[job.folder] = _Attempt(waiting.pop(0), process, slot, began_at)
                processes = [attempt.process for attempt in running.values()]
                wait([process.sentinel for process in processes], timeout=POLL_SECONDS)
                for folder, attempt in list(running.items()):
                    if attempt.process.exitcode is None:
                        attempt.largest = max(attempt.largest, _resident(attempt.process))
                        if clock.stalls(folder):
                            attempt.stalled = True
                            attempt.process.kill()
                        continue
                    del running[folder]
                    if attempt.process.exitcode == 0:
                        capacity.largest = max(capacity.largest, attempt.largest)
                    self._look_at_gpu(attempt)
                    if attempt.process.exitcode == BUSY:
                        waiting.append(attempt.of)
                    elif again := attempt.next:
                        # After a fault of a GPU another trial goes first: it tells whose it was.
                        waiting.insert(len(waiting) if attempt.may_blame_gpu else 0, again)
                    else:
                        outcomes[folder] = _outcome(attempt)
                on_poll()
        return [outcomes[job.folder] for job in jobs]

    def _look_at_gpu(self, attempt: _Attempt) -> None:
        """Learn from an attempt whether its GPU is good."""
        gpu = attempt.slot.gpu
        if gpu is None:
            return
        if attempt.process.exitcode == 0:
            self._health.ended_well(gpu)
        elif attempt.may_blame_gpu:
            blame = self._health.failed(gpu, attempt.job.folder)
            attempt.at_fault = blame == "trial"
            if blame == "gpu":
                print(f"GPU {gpu} failed two trials and gets no other", file=sys.stderr)


def _trial_of(job: Job) -> TrialConfig:
    return Run.open(job.folder).config


def _start(context: ForkServerContext, job: Job, threads: int, slot: Slot) -> ForkServerProcess:
    from verirank.study.executors._worker import work

    process = context.Process(target=work, args=(job, threads, slot.gpu), name=job.folder.name)
    process.start()
    return process


def _outcome(attempt: _Attempt) -> Outcome:
    folder, exitcode = attempt.job.folder, attempt.process.exitcode
    if exitcode == 0:
        return Outcome(folder, None)
    if attempt.stalled:
        return lost(folder, "hung: it wrote nothing for too long, and was killed")
    if not attempt.died:
        return failure(folder, f"exit code {exitcode} (is the disk full?)")
    if exitcode == DEVICE_FAULT:
        return failure(folder, "a CUDA error at every attempt")
    ways = {STOPPED: "stopped", LOST: "lost with the process that starts trials"}
    how = ways.get(exitcode or 0, f"killed by signal {-(exitcode or 0)}")
    return lost(folder, f"{how} {ATTEMPTS} times (out of memory?)")


def _resident(process: ForkServerProcess) -> int:
    try:
        return psutil.Process(process.pid).memory_info().rss
    except psutil.NoSuchProcess:
        return 0


@contextmanager
def threads_each(threads: int) -> Iterator[ForkServerContext]:
    """Yield a context whose children start with the libraries loaded, limited to some threads."""
    limited = thread_environment(threads)
    before = {name: os.environ.get(name) for name in limited}
    os.environ.update(limited)
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    try:
        yield context
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _ending_together(patience: float) -> Iterator[dict[Path, _Attempt]]:
    """Yield the running attempts; if the block is left early, they are asked to stop.

    A step may take long: they are killed after `patience` seconds, or at a second Ctrl-C.
    """
    running: dict[Path, _Attempt] = {}
    try:
        yield running
    finally:
        processes = [attempt.process for attempt in running.values()]
        for process in processes:
            if process.pid is not None and process.exitcode is None:
                process.terminate()
        deadline = time.monotonic() + patience
        try:
            for process in processes:
                process.join(max(0.0, deadline - time.monotonic()))
        finally:
            for process in processes:
                process.kill()
                process.join()
