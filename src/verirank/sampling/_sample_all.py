"""Sampling where every completion is wanted, as in an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from verirank.sampling._completion import Completion, Order, Reply, Sampler


def sample_all(
    sampler: Sampler,
    prompts: Sequence[str],
    seeds: Sequence[Sequence[int]],
    *,
    temperature: float,
    max_new_tokens: int,
    stop: str | None,
    reply: Reply | None = None,
) -> list[list[Completion]]:
    """Return, per prompt, one completion per seed; the same seed gives the same draw.

    Args:
        sampler: draws from its published weights.
        prompts: are read with the sampler's tokenizer.
        seeds: of each prompt's completions.
        temperature: of the distribution that is drawn from.
        max_new_tokens: the most that the model draws of a completion; replies come on top.
        stop: text that ends a completion; None leaves it to the model.
        reply: what is said to one that ends so, see `Sampler.stream`.

    Raises:
        InputError: a prompt fills the whole context of vLLM's engine.
        SamplingStoppedError: a `StoppableSampler`, of this process or another, is to stop.
    """
    tokens = [tuple(sampler.tokenizer(prompt).input_ids) for prompt in prompts]
    pairs = zip(tokens, seeds, strict=True)
    waiting = iter(
        [
            Order(index, prompt, group, [max_new_tokens] * len(group))
            for index, (prompt, group) in enumerate(pairs)
        ]
    )
    stream = sampler.stream(
        lambda: next(waiting, None),
        longest=max(map(len, tokens), default=0) + max_new_tokens,
        temperature=temperature,
        stop=stop,
        reply=reply,
    )
    with closing(stream):
        made = dict(next(stream))  # a turn even without a prompt: other processes may have some
        while len(made) < len(prompts):
            made |= next(stream)
    return [made[index] for index in range(len(prompts))]
