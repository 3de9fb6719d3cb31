"""What a trial's process runs; the fork server loads this file, and with it every library, once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import closing
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import peft  # noqa: F401  loaded here once instead of in every trial
import torch
import transformers  # noqa: F401

from verirank.config import MethodConfig, ModelConfig, TrialConfig
from verirank.models import load_base
from verirank.record import Run
from verirank.study._proof import prove
from verirank.study._trial import run_trial, sample_base
from verirank.verifier import Verifier


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


def prove_methods(methods: list[MethodConfig], model: ModelConfig) -> None:
    """Prove methods before any trial starts; see `prove`."""
    torch.set_num_threads(1)
    prove(methods, model, load_base(model))


def sample_the_base(config: TrialConfig, folder: Path) -> None:
    """Take the base's samples that all trials share; see `sample_base`."""
    torch.set_num_threads(1)
    with closing(Verifier(config.verifier)) as verifier:
        sample_base(config, load_base(config.model), verifier, folder)


def die_by_ctrl_c() -> None:
    """Let Ctrl-C end a helping process at once and without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end_with_the_study() -> None:
    """Stop this trial with a checkpoint once the study's process is gone."""
    study = parent_process()
    assert study is not None  # a worker is always a child
    wait([study.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt
