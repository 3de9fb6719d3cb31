"""The order of the files, for workers that take one file at a time; and the real problems."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"
"""Copies of sets, benches and verifier cases that maintainers keep beside the repository."""


@pytest.fixture(scope="session")
def data_dir() -> str:
    """The folder with the real training sets and benches, and the verifier's cases."""
    if not (DATA / "bench").is_dir():
        pytest.skip("the shared folder of training sets and benches is not here")
    return str(DATA)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with slow tests go first, Ray's before all, so that none runs alone at the end."""
    slow, longest = (
        {item.path for item in items if item.get_closest_marker(mark)}
        for mark in ("slow", "xdist_group")
    )
    items.sort(key=lambda item: (item.path not in longest, item.path not in slow))
