"""What a trial's process runs; the fork server loads this file, and with it every library, once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from contextlib import closing, suppress
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import peft  # noqa: F401  loaded here once instead of in every trial
import torch
import transformers  # noqa: F401

from verirank.config import MethodConfig, ModelConfig, TrialConfig, to_toml
from verirank.models import load_base
from verirank.record import BusyError, Run
from verirank.sampling import open_sampler
from verirank.study._ending import may_pass, record_failure
from verirank.study._jobs import BUSY, STOPPED, Job
from verirank.study._proof import MethodUnprovenError, prove
from verirank.study._trial import run_trial, sample_base
from verirank.verifier import Verifier

_PATIENCE = 120.0
"""Seconds: a worker whose study was killed ends its step before it lets go of its run."""


def work(job: Job, threads: int) -> None:
    """Do one job in a process of its own; the exit code tells how it ended."""
    # A terminal sends Ctrl-C to every process: the parent alone decides, and asks by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_the_study, daemon=True).start()
    _write_to(job.folder / "log.txt")
    try:
        _do(job, threads)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except BusyError:
        sys.exit(BUSY)
    except Exception as error:
        traceback.print_exc()
        _record(job, error)
        sys.exit(1)


def _record(job: Job, error: Exception) -> None:
    """Write why a job failed, where the trial has not done so itself, as before its first step."""
    run = Run(job.folder)
    # On a full disk nothing can be written: the study tells it by the exit code.
    with suppress(OSError):
        if run.manifest.get("status") != "failed":
            record_failure(run, f"{type(error).__name__}: {error}", passing=may_pass(error))


def try_to_do(job: Job, threads: int) -> bool:
    """Do one job in a process that serves many; return whether it was done."""
    try:
        _do(job, threads)
    except Exception as error:
        with suppress(OSError), (job.folder / "log.txt").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        _record(job, error)
        return False
    return True


def _do(job: Job, threads: int) -> None:
    """Take a trial as far as the job says."""
    torch.set_num_threads(threads)
    run = Run.open(job.folder)
    run_trial(
        run,
        load_base(run.config.model, run.config.machine.device),
        base_samples=job.base_samples,
        rung=job.rung,
        patience=_PATIENCE,
    )


def prove_methods(methods: list[MethodConfig], model: ModelConfig) -> dict[str, str]:
    """Prove methods before any trial starts; return why some are unproven, by their settings."""
    torch.set_num_threads(1)
    base, unproven = load_base(model), dict[str, str]()
    try:
        prove(methods, model, base)
    except MethodUnprovenError:
        for method in methods:
            try:
                prove([method], model, base)
            except MethodUnprovenError as error:
                unproven[to_toml(method)] = f"{type(error).__name__}: {error}"
    return unproven


def sample_the_base(config: TrialConfig, folder: Path) -> None:
    """Take the base's samples that all trials share, whatever their seeds; see `sample_base`."""
    torch.set_num_threads(1)
    config = config.model_copy(update={"seed": 0})
    base = load_base(config.model, config.machine.device)
    with closing(Verifier(config.verifier)) as verifier, open_sampler(config, base) as sampler:
        sample_base(config, sampler, verifier, folder)


def base_fingerprint(model: ModelConfig) -> str:
    """Return the SHA-256 of a model's weights."""
    return load_base(model).fingerprint()


def die_by_ctrl_c() -> None:
    """Let Ctrl-C end a helping process at once and without a traceback, as does the study's end."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_the_study, daemon=True).start()


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
