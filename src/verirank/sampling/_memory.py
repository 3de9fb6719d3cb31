"""What sampling takes of the memory, and so how many samples are decoded side by side."""

from __future__ import annotations

from verirank.models import ModelShape

MOST_ROWS = 256
CACHE_BYTES = 4 * 2**30
"""Of keys and values at the same time.

Not what is free: how samples stand together moves the rounding of their log-probabilities, and a
resumed run has to come to the same bits.
"""
VLLM_CPU_CACHE_BYTES = 2**30
"""Of vLLM's keys and values on a CPU, unless the settings say."""


def cache_bytes(shape: ModelShape, tokens: int, width: int) -> int:
    """Return the bytes of one sample's keys and values.

    Args:
        shape: the model's.
        tokens: of the prompt and the completion.
        width: bytes of a number.
    """
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * tokens * width


def most_rows(shape: ModelShape, tokens: int, width: int, budget: int = CACHE_BYTES) -> int:
    """Return how many samples of so many tokens are decoded side by side: at least one."""
    return max(1, min(MOST_ROWS, budget // cache_bytes(shape, tokens, width)))
