"""Trials as parallel processes on this machine, of one or more threads each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import psutil

from verirank.config import InputError, TrialConfig
from verirank.record import Run
from verirank.study._jobs import (
    ATTEMPTS,
    BUSY,
    LOST,
    POLL_SECONDS,
    STOPPED,
    Job,
    Outcome,
    failure,
    lost,
)
from verirank.study._room import Place, Room, gpus_here
from verirank.study._stall import StallClock

_PRELOAD = ["verirank.study._worker"]


def thread_environment(threads: int) -> dict[str, str]:
    """Return the environment of a process that computes on so many threads."""
    return {
        "OMP_NUM_THREADS": str(threads),
        # Threads that spin while they wait collapse once two processes share the cores.
        "KMP_BLOCKTIME": "0",
        "OMP_WAIT_POLICY": "passive",
        "TOKENIZERS_PARALLELISM": "false",
    }


@dataclass
class _Attempt:
    """A job's process, where it is, and which one it is."""

    job: Job
    process: ForkServerProcess
    place: Place
    number: int
    largest: int = 0
    """Bytes that it had at most, as often as that was asked."""
    stalled: bool = False

    @property
    def died(self) -> bool:
        """Whether something else than the trial itself ended the process."""
        code = self.process.exitcode
        return code is not None and (code < 0 or code in (STOPPED, LOST))


@dataclass(frozen=True)
class LocalExecutor:
    """Processes on this machine.

    Args:
        processes: how many trials run at the same time; None takes all GPUs, or all cores where
            trials compute on the CPU, as far as the free memory suffices for what is planned for a
            trial, and for what the largest had that has ended well.
        threads: of each trial. Results are the same to the bit on the same number of threads only.
        stall_seconds: a trial that writes nothing for so long is killed.
    """

    processes: int | None = None
    threads: int = 1
    stall_seconds: float = 3600.0

    def run(self, jobs: Sequence[Job], on_poll: Callable[[], None] = lambda: None) -> list[Outcome]:
        """See `Executor.run`; a process that is killed starts again from its last checkpoint."""
        outcomes: dict[Path, Outcome] = {}
        waiting = [(job, 1) for job in jobs]
        room = Room(self.processes, self.threads, gpus_here())
        clock = StallClock(self.stall_seconds)
        trial_of = lru_cache(_trial_of)  # the next job is asked for at every poll
        with threads_each(self.threads) as context, _ending_together(self.stall_seconds) as running:
            while waiting or running:
                while waiting:
                    job, number = waiting[0]
                    try:
                        place = _place(room, trial_of(job), running.values())
                    except InputError as error:  # of this trial, whose file is damaged
                        outcomes[job.folder] = lost(job.folder, str(error))
                        del waiting[0]
                        continue
                    if place is None:
                        break
                    del waiting[0]
                    clock.forget(job.folder)
                    process = _start(context, job, self.threads, place)
                    running[job.folder] = _Attempt(job, process, place, number)
                processes = [attempt.process for attempt in running.values()]
                wait([process.sentinel for process in processes], timeout=POLL_SECONDS)
                for folder, attempt in list(running.items()):
                    if attempt.process.exitcode is None:
                        attempt.largest = max(attempt.largest, _resident(attempt.process))
                        if clock.stalls(folder):
                            attempt.stalled, attempt.number = True, ATTEMPTS
                            attempt.process.kill()
                        continue
                    del running[folder]
                    if attempt.process.exitcode == 0:
                        room.largest = max(room.largest, attempt.largest)
                    if attempt.process.exitcode == BUSY:
                        waiting.append((attempt.job, attempt.number))
                    elif attempt.died and attempt.number < ATTEMPTS:
                        waiting.insert(0, (attempt.job, attempt.number + 1))
                    else:
                        outcomes[folder] = _outcome(attempt)
                on_poll()
        return [outcomes[job.folder] for job in jobs]


def _trial_of(job: Job) -> TrialConfig:
    return Run.open(job.folder).config


def _place(room: Room, trial: TrialConfig, running: Collection[_Attempt]) -> Place | None:
    taken = [(attempt.place, _resident(attempt.process)) for attempt in running]
    return room.place(trial, taken)


def _start(context: ForkServerContext, job: Job, threads: int, place: Place) -> ForkServerProcess:
    from verirank.study._worker import work

    process = context.Process(target=work, args=(job, threads, place.gpu), name=job.folder.name)
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
