"""The real micro model and runs that take seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from verirank.config import ModelConfig, TrialConfig
from verirank.models import BaseModel, load_base
from verirank.study import make_study

_SMALL = {
    "training": {"steps": 4, "warmup_steps": 1},
    "checkpoint": {"every": 2},
    "sampling": {"problems_per_step": 4},
    "evaluation": {"benches": ["test"], "problems": 4, "samples": 4},
}


@pytest.fixture(scope="session")
def base() -> BaseModel:
    return load_base(ModelConfig())


@pytest.fixture
def small() -> Callable[..., TrialConfig]:
    """Make the trial of a method: four steps, a checkpoint every second one."""

    def make(method: str) -> TrialConfig:
        settings = {"name": "small", "preset": "quickstart", "methods": [method], "trial": _SMALL}
        (arm,) = make_study(settings).arms()
        return arm.trial(0)

    return make


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "run"
