"""The micro model: shipped small, tokenised right, and built from seeds alone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from verirank.config import ModelConfig
from verirank.models import load_base
from verirank.training import micro_build


def test_the_shipped_weights_are_small_and_load() -> None:
    base = load_base(ModelConfig(name="micro"))
    folder = Path(base.source)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 4 * 1024**2
    assert base.shape.parameters == sum(p.numel() for p in base.model.parameters())


def test_the_shipped_files_are_those_whose_sums_are_published() -> None:
    published = (Path(__file__).parents[2] / "docs" / "results" / "micro.md").read_text("utf-8")
    rows = re.findall(r"\| `(.+)` \| `([0-9a-f]{64})` \|", published)
    folder = Path(load_base(ModelConfig(name="micro")).source)
    assert "model.safetensors" in dict(rows)
    for name, digest in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_three_marks_are_single_tokens() -> None:
    tokenizer = load_base(ModelConfig(name="micro")).tokenizer
    text = "(12+7)*3=<think>12+7=19;19*3=57</think>\\boxed{57}"
    tokens = tokenizer(text).input_ids
    assert tokenizer.decode(tokens) == text
    assert len(tokens) == len(text) - len("<think></think>\\boxed{") + 3


@pytest.mark.thorough
def test_building_twice_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro_build, "MICRO_STEPS", 4)
    monkeypatch.setattr(micro_build, "STAGE_1_STEPS", 2)
    monkeypatch.setattr(micro_build, "BATCH", 16)
    for name in "ab":
        micro_build.build_micro(tmp_path / name)
    digests = {
        hashlib.sha256((tmp_path / name / "model.safetensors").read_bytes()).digest()
        for name in "ab"
    }
    assert len(digests) == 1
