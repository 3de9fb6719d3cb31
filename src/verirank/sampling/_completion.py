"""The nouns of the sampling room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer: its tokens, and the sampler's log-probability of each.

    `tokens` and `logprobs` have equal length T; the end-of-sequence token is counted where it was
    sampled. `truncated` tells that the token limit ended it.
    """

    prompt_tokens: tuple[int, ...]
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str
    truncated: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Published:
    """What reached the sampler, over all weights that the method can change.

    `changed_fraction` is the share of entries whose served value differs from the base's, that is,
    whose update exceeds half a ULP of the sampler's dtype; `delta_norm` is ||W - W0||_F in fp32.
    """

    changed_fraction: float
    delta_norm: float


class Sampler(Protocol):
    """Draws completions from the published weights.

    `tokenizer` is the one that reads the prompts.
    """

    tokenizer: Any

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[Sequence[int]],
        *,
        temperature: float,
        max_new_tokens: int,
        stop: str | None,
    ) -> list[list[Completion]]:
        """Return, per prompt, one completion per seed; the same seed gives the same draw."""
        ...

    def publish(self, weights: Iterable[tuple[str, torch.Tensor]]) -> Published:
        """Serve these fp32 weights from now on, cast once to the sampler's dtype."""
        ...
