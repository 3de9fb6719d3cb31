"""Running an answer's code against tests, from outside the sandbox."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from verirank.verifier._core_wait import group_waited_for_a_core
from verirank.verifier._pool import UNVERIFIED

_INSIDE = Path(__file__).parent / "inside" / "__main__.py"
_SPARE_SECONDS = 0.4
"""By the clock, beyond the seconds of CPU; the pool waits a little longer still."""
_FILE_BYTES = 64 * 2**20
_FILES = 64
_MOST_SAID = 4096
_TRIED = {"before": "", "setup": "", "tests": ["assert x == 1"], "entry_point": ""}


NO_SANDBOX = "no sandbox"
"""How the reason begins of an answer that did not run, because it could not be confined."""


def run_tests(tests: str, answer: str) -> tuple[bool, str]:
    """Return whether an answer passes its tests, and why not; called in the verifier's workers.

    The reason is one of: passed, failed, deadline, memory, unverified (the machine was too busy),
    no sandbox (the answer was not run), which alone goes on with a colon and why.

    Args:
        tests: JSON of `tests`, which are executed behind `setup`; of `before`, the beginning of the
            program, which the answer repeats or goes on with; of `entry_point`, the function that
            `check` is called with, or ""; and of `limits`: `seconds` of CPU, `memory_bytes`, and
            whether `namespaces` are required.
        answer: Python source.
    """
    spec = json.loads(tests)
    outcome = _outcome({**spec, "answer": answer}, **spec["limits"])
    is_confined = not outcome.startswith(NO_SANDBOX)
    return outcome == "passed", outcome.partition(":")[0] if is_confined else outcome


@cache
def sandbox_lacks() -> str:
    """Return why code cannot be confined by namespaces and a filter of system calls here, or ""."""
    job = {**_TRIED, "answer": "x = 1"}
    outcome = _outcome(job, seconds=10.0, memory_bytes=2**29, namespaces=True)
    return "" if outcome == "passed" else outcome


def _outcome(job: dict[str, Any], *, seconds: float, memory_bytes: int, namespaces: bool) -> str:
    """Run an answer and its tests in two fresh processes; return `passed` or why not.

    Whatever happens inside, all of it has ended when this returns.
    """
    token, folder = secrets.token_hex(16), mkdtemp(prefix="verirank-sandbox-")
    settings = {
        "parent": os.getpid(),
        "folder": folder,
        "namespaces": namespaces,
        "seconds": seconds,
        "memory_bytes": memory_bytes,
        "file_bytes": _FILE_BYTES,
        "files": _FILES,
    }
    start = time.perf_counter()
    # Hashes are fixed, so that a verdict does not depend on the order of a set.
    environment = {"HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    process = subprocess.Popen(
        [sys.executable, "-s", "-S", "-B", str(_INSIDE), json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    assert process.stdin and process.stdout
    try:
        with suppress(BrokenPipeError), process.stdin as job_file:
            job_file.write(json.dumps(job | {"token": token}).encode())
        end = start + seconds + _SPARE_SECONDS
        said = _said(process.stdout.fileno(), end)
        waited = group_waited_for_a_core(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        rmtree(folder, ignore_errors=True)
    if said is None:
        # Only one that had its time, and slept, is late by its own doing.
        is_late = time.perf_counter() - start - waited >= seconds
        return "deadline" if is_late else UNVERIFIED
    verdict = said.decode("utf-8", "replace")
    if verdict.startswith(NO_SANDBOX):
        return verdict
    attested, _, outcome = verdict.partition(" ")
    if attested != token:
        return "failed: the tests' process ended before their end"
    return outcome


def _said(descriptor: int, end: float) -> bytes | None:
    """Return what is written until its writer is gone, cut; None where that is not in time."""
    said = b""
    while len(said) < _MOST_SAID:
        left = end - time.perf_counter()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return None
        more = os.read(descriptor, _MOST_SAID)
        if not more:
            break
        said += more
    return said
