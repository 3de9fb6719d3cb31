"""The command line in the tests' own process, or in one forked with every library loaded.

A fresh process takes 3.5 seconds of a core to load what most commands need.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from verirank.cli import main


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and all that it printed."""

    returncode: int
    stdout: str
    stderr: str


def verirank(*arguments: str | Path) -> Done:
    """Run `verirank ARGUMENTS` to its end, as its entry point does."""
    printed, errors = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["verirank", *map(str, arguments)])
        # What `main` would set for the rest of the process.
        patch.setenv("COLUMNS", "200")
        patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        patch.setenv("OMP_WAIT_POLICY", "passive")
        patch.setenv("KMP_BLOCKTIME", "0")
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        with (
            redirect_stdout(printed),
            redirect_stderr(errors),
            pytest.raises(SystemExit) as ended,
        ):
            main()
    return Done(int(ended.value.code or 0), printed.getvalue(), errors.getvalue())


class Started:
    """A command in a process of its own, which can be stopped and killed."""

    def __init__(self, arguments: tuple[str | Path, ...], environment: Mapping[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="command-"))
        self._printed, self._errors = self._folder / "stdout", self._folder / "stderr"
        context = get_context("forkserver")
        # A study's executor in the same process shares the server.
        context.set_forkserver_preload(["verirank.study.executors._worker"])
        words = tuple(map(str, arguments))
        self.process: ForkServerProcess = context.Process(
            target=_command, args=(words, dict(environment), self._printed, self._errors)
        )
        self.process.start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the command has not ended."""
        return self.process.exitcode is None

    def send(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout: float = 300.0) -> Done:
        """Wait until the command has ended, and return what it left."""
        self.process.join(timeout)
        assert self.process.exitcode is not None, f"it still runs after {timeout} s"
        texts = [f.read_text("utf-8") if f.is_file() else "" for f in (self._printed, self._errors)]
        shutil.rmtree(self._folder)
        return Done(self.process.exitcode, *texts)


def start(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Started:
    """Start `verirank ARGUMENTS` in a forked process, on one thread."""
    threads = {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}
    return Started(arguments, threads | dict(environment or {}))


def _command(
    arguments: tuple[str, ...], environment: dict[str, str], printed: Path, errors: Path
) -> None:
    os.environ.update(environment)
    # A test run in the background may have inherited that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream, path in ((1, printed), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    import torch

    torch.set_num_threads(1)
    sys.argv = ["verirank", *arguments]
    main()
