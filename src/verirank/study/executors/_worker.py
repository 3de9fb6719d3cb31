"""What a trial's process runs; the fork server loads this file, and with it every library, once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import peft  # noqa: F401  loaded here once instead of in every trial
import torch
from transformers.conversion_mapping import get_checkpoint_conversion_mapping

from verirank.config import in_words, resolve
from verirank.methods import StandIn
from verirank.models import load_base
from verirank.record import BusyError, Run
from verirank.study.executors._jobs import BUSY, DEVICE_FAULT, PATIENCE, STOPPED, Job
from verirank.tasks import load_task
from verirank.trial import (
    Store,
    failure_kind,
    is_device_fault,
    is_remembered,
    record_failure,
    run_trial,
)


def _warm_up() -> None:
    """Work out once what every trial's process would: 0.06 seconds of each.

    It is which plugins are installed, and the patterns by which transformers renames weights.
    """
    resolve({})
    get_checkpoint_conversion_mapping("llama")


_warm_up()


def work(job: Job, threads: int, gpu: str | None) -> None:
    """Do one job in a process of its own, on a GPU if told; the exit code tells how it ended."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    # A terminal sends Ctrl-C to every process: the parent alone decides, and asks by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _write_to(job.folder / "log.txt")
    try:
        # Forked while there are no threads and no base, and before what SIGTERM means here.
        run = Run.open(job.folder)
        stand_in = None if is_remembered(run.config.method) else StandIn()
        signal.signal(signal.SIGTERM, _stop)
        threading.Thread(target=_end_with_the_study, daemon=True).start()
        _do(run, job, threads, stand_in)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except BusyError:
        sys.exit(BUSY)
    except Exception as error:
        traceback.print_exc()
        _record(job, error)
        sys.exit(DEVICE_FAULT if is_device_fault(error) else 1)


def _record(job: Job, error: Exception) -> None:
    """Write why a job failed, where the trial has not done so itself, as before its first step."""
    run = Run(job.folder)
    # On a full disk nothing can be written: the study tells it by the exit code.
    with suppress(OSError):
        if run.manifest.get("status") != "failed":
            record_failure(run, in_words(error), failure_kind(error))


def try_to_do(job: Job, threads: int) -> bool:
    """Do one job in a process that serves many; return whether it was done.

    Raises:
        BusyError: another process is at the trial.
    """
    try:
        _do(Run.open(job.folder), job, threads)
    except BusyError:
        raise
    except Exception as error:
        with suppress(OSError), (job.folder / "log.txt").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        _record(job, error)
        return False
    return True


def _do(run: Run, job: Job, threads: int, stand_in: StandIn | None = None) -> None:
    """Take a trial as far as the job says."""
    torch.set_num_threads(threads)
    base = load_base(run.config.model, run.config.machine.device)
    store = Store(job.store)
    store.expect_base(run.config, base.fingerprint())
    task = load_task(run.config.task)
    store.expect_problems(run.config, task.fingerprint())
    run_trial(
        run,
        base,
        base_samples=store.base_samples(run.config),
        rung=job.rung,
        patience=PATIENCE,
        stand_in=stand_in,
    )


def _write_to(log: Path) -> None:
    """Send all that the process says into a file beside its record."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())


def _end_with_the_study() -> None:
    """Stop this trial with a checkpoint once the study's process is gone."""
    study = parent_process()
    assert study is not None  # a worker is always a child
    wait([study.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt
