"""Sampling where every completion is wanted, as in an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from verirank.sampling._completion import Completion, Order, Sampler


def sample_all(
    sampler: Sampler,
    prompts: Sequence[str],
    seeds: Sequence[Sequence[int]],
    temperature: float,
    max_new_tokens: int,
    stop: str | None,
) -> list[list[Completion]]:
    """Return, per prompt, one completion per seed; see `Sampler.sample`."""
    pairs = zip(prompts, seeds, strict=True)
    waiting = iter(
        [
            Order(index, prompt, group, [max_new_tokens] * len(group))
            for index, (prompt, group) in enumerate(pairs)
        ]
    )
    longest = max((len(sampler.tokenizer(p).input_ids) for p in prompts), default=0)
    made: dict[int, list[Completion]] = {}
    stream = sampler.stream(
        lambda: next(waiting, None),
        longest=longest + max_new_tokens,
        temperature=temperature,
        stop=stop,
    )
    with closing(stream):
        while len(made) < len(prompts):
            made |= next(stream)
    return [made[index] for index in range(len(prompts))]
