"""Commands where streams are closed, letters, room or memory are few: a line, never a traceback."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import verirank

SMALL = [
    "--set=training.steps=1",
    "--set=sampling.problems_per_step=2",
    "--set=sampling.group_size=2",
    "--set=evaluation.problems=2",
    "--set=evaluation.samples=1",
]
COMMAND = [sys.executable, "-m", "verirank"]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def limit(kind: int, size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (size, size))


def test_a_run_goes_into_an_empty_folder_that_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to("there")
    assert verirank("train", *SMALL, "--out", link).returncode == 0
    assert link.is_symlink()
    assert (tmp_path / "there" / "manifest.json").exists()


def test_a_folder_that_holds_something_is_refused_however_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = subprocess.run(
        [*COMMAND, "train", "--out", "."], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "verirank: output folder . holds something else; choose another\n"


def test_a_closed_output_is_no_error(tmp_path: Path) -> None:
    closed = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m verirank methods >&-"], capture_output=True, text=True
    )
    assert (closed.returncode, closed.stderr) == (0, "")


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    command = f"{sys.executable} -m verirank methods --json | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[", "")


def test_what_an_ascii_locale_lacks_is_printed_as_a_question_mark() -> None:
    command = [*COMMAND, "verify", "--explain", "--gold", "π", "--answer", "π"]
    done = subprocess.run(command, env=os.environ | ASCII, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces these limits")
@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [
        (resource.RLIMIT_FSIZE, 4_096, "may not grow as large as it must"),
        (resource.RLIMIT_AS, 400_000_000, "the memory does not suffice"),
    ],
    ids=["file size", "memory"],
)
def test_a_limit_of_the_shell_is_named_in_one_line(
    tmp_path: Path, kind: int, size: int, said: str
) -> None:
    done = subprocess.run(
        [*COMMAND, "train", *SMALL, "--out", tmp_path / "run"],
        preexec_fn=limit(kind, size),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
