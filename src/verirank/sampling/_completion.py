"""The nouns of the sampling room."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer: its tokens, and the sampler's log-probability of each.

    `tokens` and `logprobs` have equal length T; the end-of-sequence token is counted where it was
    sampled. `truncated`: the token limit ended it. `replies` are the spans of tokens that a tool
    wrote, each from its first one up to the one behind its last; their log-probabilities are 0, and
    nothing is trained on them.
    """

    prompt_tokens: tuple[int, ...]
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str
    truncated: bool
    seed: int
    replies: tuple[tuple[int, int], ...] = ()

    @property
    def own(self) -> list[bool]:
        """Which of the T tokens the model drew."""
        own = [True] * len(self.tokens)
        for start, end in self.replies:
            own[start:end] = [False] * (end - start)
        return own

    @property
    def length(self) -> int:
        """How many tokens the model drew."""
        return len(self.tokens) - sum(end - start for start, end in self.replies)


@dataclass(frozen=True, slots=True)
class Published:
    """What reached the sampler, over all weights that the method can change.

    `changed_fraction` is of the entries whose served value differs from the base's, that is, whose
    update exceeds half a ULP of the sampler's dtype; `delta_norm` is ||W - W0||_F in fp32.
    """

    changed_fraction: float
    delta_norm: float


@dataclass(frozen=True, slots=True)
class Order:
    """Completions that are wanted behind a prompt's tokens: one a seed, each with its limit.

    `index` names the order to whoever gave it, and `prompt_tokens` come from the sampler's
    tokenizer. The limits are on the tokens that the model draws. What is made of it depends on
    nothing else that is being sampled, to the bit on a CPU with the transformers sampler and a
    dense model: an expert of a mixture multiplies as many rows as the batch routes to it, which may
    round otherwise.
    """

    index: int
    prompt_tokens: tuple[int, ...]
    seeds: Sequence[int]
    limits: Sequence[int]


Orders = Callable[[], Order | None]
"""Gives the next order, or None where there is none now."""
Finished = tuple[int, list[Completion]]
"""An order's index, and its completions in the order of its seeds."""
Reply = Callable[[str, int], str | None]
"""Maps a completion so far, and the number of replies to it, to the next one (`Task.reply`)."""


class Sampler(Protocol):
    """Draws completions from the published weights.

    `tokenizer` is the one that reads the prompts. Callers that want every completion, as an
    evaluation does, use `sample_all`.
    """

    tokenizer: Any

    def stream(
        self,
        orders: Orders,
        *,
        longest: int,
        temperature: float,
        stop: str | None,
        reply: Reply | None = None,
    ) -> Generator[list[Finished]]:
        """Sample orders side by side, taking the next one as soon as there is room for it.

        It yields after every token or so what has finished meanwhile, often nothing, in whatever
        order, for ever. Closing the generator aborts what is unfinished.

        Args:
            orders: gives the next order; called by one thread at a time, but by any.
            longest: tokens of the longest prompt and completion together, as far as is known.
            temperature: of the distribution that is drawn from.
            stop: text that ends a completion; None leaves it to the model.
            reply: is asked whenever a completion ends in `stop`; what it returns is written behind
                it, and the model goes on. None from it, or in its place, ends the completion.
        """
        ...

    def publish(self, weights: Iterable[tuple[str, torch.Tensor]]) -> Published:
        """Serve these fp32 weights from now on, cast once to the sampler's dtype."""
        ...
