"""What sampling takes of the memory, and so how many samples are decoded side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verirank.models import ModelShape

MOST_ROWS = 256
CACHE_BYTES = 4 * 2**30
"""Of keys and values at the same time.

Not what is free: how samples stand together moves the rounding of their log-probabilities, and a
resumed run has to come to the same bits.
"""
PACKED_FROM = 2**16
"""Numbers of a matrix from which on a CPU holds it in another order, and keeps none of the first.

Below, the plain product is as fast.
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


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples `start` to `end` of one prompt, given by its place."""

    prompt: int
    start: int
    end: int


def chunks(group_sizes: Sequence[int], rows: int) -> Iterator[list[Stretch]]:
    """Yield stretches of at most `rows` samples together, each sample once and in order.

    A group is cut only where it is larger than `rows`, as its prompt is then read more than once.
    """
    chunk, room = list[Stretch](), rows
    for prompt, size in enumerate(group_sizes):
        for start in range(0, size, rows):
            end = min(start + rows, size)
            if end - start > room:
                yield chunk
                chunk, room = [], rows
            chunk.append(Stretch(prompt, start, end))
            room -= end - start
    if chunk:
        yield chunk


def shared(group_sizes: Sequence[int], rows: int, hands: int) -> list[list[Stretch]]:
    """Return chunks of at most `rows` samples: one for each of the hands, where they hold all."""
    fewest = max(1, -(-sum(group_sizes) // hands))
    for most in range(fewest, rows):
        found = list(chunks(group_sizes, most))
        if len(found) <= hands:
            return found
    return list(chunks(group_sizes, rows))
