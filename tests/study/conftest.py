"""Studies small enough that a trial takes about a second."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from verirank.study import Study, make_study

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}


@pytest.fixture
def small_study() -> Callable[..., Study]:
    def make(*methods: str, steps: int = 2, **settings: Any) -> Study:
        trial = {
            "training": {"steps": steps},
            "evaluation": {"benches": ["test"], "problems": 8, "samples": 2},
        }
        return make_study(
            {
                "name": "small",
                "preset": "quickstart",
                "methods": list(methods),
                "trial": trial,
                **settings,
            }
        )

    return make
