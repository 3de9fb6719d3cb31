"""Looking for garbage is put off, and afterwards as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from verirank.cli._uncollected import uncollected


@pytest.fixture(autouse=True)
def looked_for() -> Iterator[None]:
    yield
    gc.enable()


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_looked_for_afterwards_only_if_it_was_before(before: bool) -> None:
    if not before:
        gc.disable()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled() == before
