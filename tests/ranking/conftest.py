"""Synthetic runs that several test files read."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthetic_runs import write_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of each of thirteen methods."""
    return write_study(tmp_path_factory.mktemp("study"))
