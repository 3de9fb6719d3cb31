from __future__ import annotations

from pathlib import Path

import pytest
from toy_model import write_toy_model

from verirank.config import ModelConfig
from verirank.models import BaseModel, load_base


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_toy_model(folder)
    return folder


@pytest.fixture
def toy(toy_folder: Path) -> BaseModel:
    return load_base(ModelConfig(name=str(toy_folder)))


@pytest.fixture
def toy_bf16(toy_folder: Path) -> BaseModel:
    return load_base(ModelConfig(name=str(toy_folder), dtype="bfloat16"))
