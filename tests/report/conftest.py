"""Synthetic runs that several test files read."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthetic_runs import write_study
from verirank.report import write_report


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of each of thirteen methods."""
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def report(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that study's report."""
    out = tmp_path_factory.mktemp("report")
    write_report([study], out)
    return out
