"""The real micro model, and one real run."""

from __future__ import annotations

from pathlib import Path

import pytest

from verirank.config import ModelConfig, override, resolve
from verirank.models import BaseModel, load_base
from verirank.trial import run_trial, start_trial


@pytest.fixture(scope="session")
def base() -> BaseModel:
    return load_base(ModelConfig())


@pytest.fixture(scope="session")
def base_bf16() -> BaseModel:
    return load_base(ModelConfig(dtype="bfloat16"))


@pytest.fixture(scope="session")
def pissa_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "pissa"
    settings = [
        "method.name=pissa",
        "training.steps=2",
        "sampling.problems_per_step=4",
        "evaluation.problems=4",
        "evaluation.samples=2",
    ]
    trial = resolve(override({}, settings))
    run_trial(start_trial(trial, folder), load_base(trial.model))
    return folder
