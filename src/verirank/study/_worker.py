"""What a trial's process runs; the fork server loads this file, and with it every library, once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import peft  # noqa: F401  loaded here once instead of in every trial
import torch
import transformers  # noqa: F401

from verirank.models import load_base
from verirank.record import Run
from verirank.study._trial import run_trial


def work(folder: Path, base_samples: Path) -> None:
    """Run one trial; the exit code is 0 when its run is done, 130 when it was stopped."""
    # A terminal sends Ctrl-C to every process: the parent alone decides, and asks by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_the_study, daemon=True).start()
    torch.set_num_threads(1)
    try:
        run = Run.open(folder)
        run_trial(run, load_base(run.config.model), base_samples=base_samples)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        print(f"{folder.name}: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


def _end_with_the_study() -> None:
    """Stop this trial with a checkpoint once the study's process is gone."""
    study = parent_process()
    assert study is not None  # a worker is always a child
    wait([study.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt
