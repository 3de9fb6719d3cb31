"""Trials as tasks on a Ray cluster whose machines share the store."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verirank.config import InputError
from verirank.record import BusyError, Run, hold, is_held
from verirank.study.executors._capacity import planned_bytes
from verirank.study.executors._jobs import (
    ATTEMPTS,
    PATIENCE,
    POLL_SECONDS,
    Job,
    Outcome,
    failure,
    lost,
    progress,
)
from verirank.study.executors._local import thread_environment
from verirank.study.executors._stall import StallClock

_CONNECT_SECONDS = 10.0
_LOOK_SECONDS = 60.0
"""Between two looks at whether trials stall: each asks the file system for every pending trial."""
_BEGUN = ".task"
"""A lock file in a trial's folder, which its task holds from beginning to end.

Every attempt leaves a line in it, the progress of its trial: Ray begins a task again without end,
also one that runs out of memory each time.
"""
_INSTALL = "pip install 'verirank[ray]'"


@dataclass(frozen=True)
class RayExecutor:
    """Ray tasks: each trial is one, with its share of the cluster.

    Args:
        address: of the cluster, such as `auto`; None starts one on this machine for the time being.
        cpus: cores that a trial reserves; it computes on as many threads, at least one.
        gpus: GPUs that a trial reserves, or a fraction of one.
        memory_bytes: memory that a trial reserves; what is planned for it if None, but no more
            than the largest node has.
        stall_seconds: a trial that has begun and writes nothing for so long is cancelled.
    """

    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int | None = None
    stall_seconds: float = 3600.0

    def run(self, jobs: Sequence[Job], on_poll: Callable[[], None] = lambda: None) -> list[Outcome]:
        """See `Executor.run`; trials of a dead worker or node go on elsewhere.

        Raises:
            InputError: Ray is not installed, or there is no cluster at the address.
        """
        ray = _ray()
        started = not ray.is_initialized()
        if started:
            _connect(ray, self.address)
        try:
            return self._run(ray, jobs, on_poll)
        finally:
            if started:
                ray.shutdown()

    def _run(self, ray: Any, jobs: Sequence[Job], on_poll: Callable[[], None]) -> list[Outcome]:
        threads = max(1, int(self.cpus))
        task = ray.remote(
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            max_retries=-1,  # `_do` counts
            runtime_env={"env_vars": thread_environment(threads)},
        )(_do)

        most = _largest_node(ray)

        pending: dict[Any, Job] = {}
        outcomes: dict[Path, Outcome] = {}

        def begin(job: Job) -> None:
            # Workers have a working folder of their own.
            there = replace(job, folder=job.folder.absolute())
            try:
                reserved = task.options(memory=self._memory(job, most))
            except InputError as error:  # of this trial, whose file is damaged
                outcomes[job.folder] = lost(job.folder, str(error))
            else:
                pending[reserved.remote(there, threads)] = job

        for job in jobs:
            _forget_attempts(job)
            begin(job)
        if not self.gpus:
            _tell_of_idle_gpus(ray, pending.values())
        clock, next_look = StallClock(self.stall_seconds), 0.0
        try:
            while pending:
                ready, _ = ray.wait(list(pending), timeout=POLL_SECONDS)
                if time.monotonic() >= next_look:
                    _cancel_stalled(ray, pending, clock)
                    next_look = time.monotonic() + min(_LOOK_SECONDS, self.stall_seconds / 10)
                for reference in ready:
                    job = pending.pop(reference)
                    outcome = _outcome(ray, reference, job)
                    if outcome is None:
                        _forget_attempts(job)
                        begin(job)
                    else:
                        outcomes[job.folder] = outcome
                on_poll()
        except KeyboardInterrupt:
            _stop(ray, list(pending), self.stall_seconds)
            raise
        return [outcomes[job.folder] for job in jobs]

    def _memory(self, job: Job, most: int) -> int:
        """Return the bytes to reserve for a trial, whose configuration is read at any rate."""
        planned = planned_bytes(Run.open(job.folder).config, on_gpu=self.gpus > 0)
        return min(most, planned) if self.memory_bytes is None else self.memory_bytes


def _forget_attempts(job: Job) -> None:
    (job.folder / _BEGUN).write_bytes(b"")


def _largest_node(ray: Any) -> int:
    """Return the bytes that the largest node has for tasks: more would never be granted."""
    nodes = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return int(max((resources.get("memory", 0) for resources in nodes), default=0))


def _tell_of_idle_gpus(ray: Any, jobs: Iterable[Job]) -> None:
    """Say so where trials would compute on GPUs that the cluster has and none of them reserves."""
    if not ray.cluster_resources().get("GPU"):
        return
    if any(Run.open(job.folder).config.machine.device in ("auto", "cuda") for job in jobs):
        print("no trial reserves a GPU of the cluster; with --gpus 1 each does", file=sys.stderr)


def _cancel_stalled(ray: Any, pending: Mapping[Any, Job], clock: StallClock) -> None:
    for reference, job in pending.items():
        if _stalls(clock, job.folder):
            ray.cancel(reference, force=True)


def _stalls(clock: StallClock, folder: Path) -> bool:
    """Return whether a trial that has begun has written nothing for too long."""
    if is_held(folder / _BEGUN):
        return clock.stalls(folder)
    clock.forget(folder)
    return False


def _do(job: Job, threads: int) -> bool:
    """Do one job in a Ray worker; return whether it came to its end."""
    # Held from before anything is loaded: whoever waits can tell a task that hangs from one that
    # has not begun.
    begun = job.folder / _BEGUN
    with hold(begun, "another task is at the trial", patience=PATIENCE):
        now = progress(job.folder)
        with begun.open("a", encoding="utf-8") as file:
            file.write(f"{now}\n")
        last = begun.read_text("utf-8").splitlines()[-ATTEMPTS - 1 :]
        if last.count(now) > ATTEMPTS:
            raise RuntimeError(f"lost {ATTEMPTS} times on the cluster (out of memory?)")
        from verirank.study.executors import _worker

        return _worker.try_to_do(job, threads)


def _outcome(ray: Any, reference: Any, job: Job) -> Outcome | None:
    """Return how a job ended; None where another process is at its trial."""
    try:
        done = ray.get(reference)
    except ray.exceptions.TaskCancelledError:
        words = "hung: it wrote nothing for too long, and was cancelled"
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, BusyError):
            return None
        words = str(error.cause)
    except ray.exceptions.RayError as error:
        words = f"lost {ATTEMPTS} times on the cluster: {str(error).strip().splitlines()[0]}"
    else:
        return Outcome(job.folder, None) if done else failure(job.folder, "it did not end well")
    return lost(job.folder, words)


def _stop(ray: Any, pending: list[Any], patience: float) -> None:
    """Ask every trial to end its step and leave a checkpoint, and wait for that."""
    for reference in pending:
        ray.cancel(reference, force=False)
    ray.wait(pending, num_returns=len(pending), timeout=patience)


def _connect(ray: Any, address: str | None) -> None:
    _expect_listener(address)
    options: dict[str, Any] = {"address": address} if address else {"include_dashboard": False}
    try:
        ray.init(**options, log_to_driver=False, logging_level="warning")
    except (ConnectionError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"no Ray cluster at {address!r}: {reason}") from error


def _expect_listener(address: str | None) -> None:
    """Ask at once whether anybody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if "://" in host:
        raise InputError(
            f"no Ray cluster at {address!r}: trials are started from a machine of the cluster; "
            "give auto, or HOST:PORT of its head"
        )
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise InputError(f"no Ray cluster at {address!r}: {error}") from error


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise InputError(f"the Ray executor needs Ray; run: {_INSTALL}") from error
    return ray
