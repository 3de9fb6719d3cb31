"""The command line in the process of the tests: what it prints and its exit code, in no time."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
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
