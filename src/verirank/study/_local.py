"""Trials as parallel one-thread processes on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from verirank.record import Run

_PRELOAD = ["verirank.study._worker"]
_ONE_THREAD = {
    # Threads that spin while they wait collapse once two processes share the cores.
    "OMP_NUM_THREADS": "1",
    "KMP_BLOCKTIME": "0",
    "OMP_WAIT_POLICY": "passive",
    "TOKENIZERS_PARALLELISM": "false",
}
_POLL_SECONDS = 0.5
_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial's process ended; `error` is None for a finished run."""

    folder: Path
    error: str | None


def run_locally(
    folders: Sequence[Path],
    base_samples: Path,
    *,
    processes: int,
    on_poll: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Run started trials side by side, each in a process of its own with one thread.

    Args:
        folders: of runs made by `start_trial`.
        base_samples: a folder with the base's samples of every bench.
        processes: how many trials run at the same time.
        on_poll: is called about twice a second; progress can be read from the runs' folders.

    Returns:
        One outcome a folder, in the order given; a trial that fails does not end the others.

    Raises:
        KeyboardInterrupt: every trial was asked to end its step and leave a checkpoint.
    """
    outcomes: dict[Path, Outcome] = {}
    waiting = list(folders)
    with one_thread_each() as context, _ending_together() as running:
        while waiting or running:
            while waiting and len(running) < processes:
                folder = waiting.pop(0)
                running[folder] = _start(context, folder, base_samples)
            wait([process.sentinel for process in running.values()], timeout=_POLL_SECONDS)
            for folder, process in list(running.items()):
                if process.exitcode is not None:
                    outcomes[folder] = _outcome(folder, process.exitcode)
                    del running[folder]
            on_poll()
    return [outcomes[folder] for folder in folders]


def _start(context: ForkServerContext, folder: Path, base_samples: Path) -> ForkServerProcess:
    from verirank.study._worker import work

    process = context.Process(target=work, args=(folder, base_samples), name=folder.name)
    process.start()
    return process


def _outcome(folder: Path, exitcode: int) -> Outcome:
    if exitcode == 0:
        return Outcome(folder, None)
    if exitcode < 0:
        error = f"killed by signal {-exitcode}"
        Run(folder).update_manifest(status="failed", error=error)
        return Outcome(folder, error)
    return Outcome(folder, str(Run(folder).manifest.get("error", f"exit code {exitcode}")))


@contextmanager
def one_thread_each() -> Iterator[ForkServerContext]:
    """Yield a context whose children start with the libraries loaded, limited to one thread."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
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
def _ending_together() -> Iterator[dict[Path, ForkServerProcess]]:
    """Yield the running processes; if the block is left early, they are asked to stop."""
    running: dict[Path, ForkServerProcess] = {}
    try:
        yield running
    finally:
        for process in running.values():
            if process.pid is not None and process.exitcode is None:
                process.terminate()
        for process in running.values():
            process.join(_STOP_SECONDS)
            process.kill()
            process.join()
