"""The real micro model and a real verifier, shared by the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from verirank.config import resolve
from verirank.models import BaseModel, load_base
from verirank.verifier import Verifier


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(resolve({}).model)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(resolve({}).verifier) as verifier:
        yield verifier
