"""The order of the files, for workers that take one file at a time."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with slow tests go first, Ray's before all, so that none runs alone at the end."""
    slow, longest = (
        {item.path for item in items if item.get_closest_marker(mark)}
        for mark in ("slow", "xdist_group")
    )
    items.sort(key=lambda item: (item.path not in longest, item.path not in slow))
