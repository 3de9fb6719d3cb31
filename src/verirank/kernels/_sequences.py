"""The packed layout of a micro-batch: prompts once, no padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Sequences:
    """N completions of P prompts as M tokens: every prompt with its completions behind it.

    Prompt p begins at index `prompt_start_P[p]` of the M and has `prompt_lengths_P[p]` tokens.
    Completion n begins at `start_N[n]`, has `lengths_N[n]` and belongs to prompt `prompt_N[n]`.
    `positions_M` are the positions that the model is told: each completion counts on from the end
    of its prompt.
    """

    tokens_M: Tensor
    positions_M: Tensor
    prompt_start_P: Tensor
    prompt_lengths_P: Tensor
    start_N: Tensor
    lengths_N: Tensor
    prompt_N: Tensor

    @classmethod
    def pack(cls, families: Sequence[tuple[Tokens, Sequence[Tokens]]]) -> Sequences:
        """Concatenate each prompt with its completions, on the CPU.

        Args:
            families: each prompt's tokens, and the tokens of each of its completions.
        """
        tokens: list[int] = []
        positions: list[int] = []
        prompts: list[tuple[int, int]] = []
        completions: list[tuple[int, int, int]] = []
        for number, (prompt, siblings) in enumerate(families):
            prompts.append((len(tokens), len(prompt)))
            tokens += prompt
            positions += range(len(prompt))
            for completion in siblings:
                completions.append((len(tokens), len(completion), number))
                tokens += completion
                positions += range(len(prompt), len(prompt) + len(completion))
        return cls(
            torch.tensor(tokens, device="cpu"),
            torch.tensor(positions, device="cpu"),
            *torch.tensor(prompts, device="cpu").T,
            *torch.tensor(completions, device="cpu").T,
        )

    def mask_NT(self) -> Tensor:
        """Return which of the N x T entries hold a sampled token."""
        return _within(self.lengths_N)

    def indices_NT(self) -> Tensor:
        """Return which of the M each sampled token is; beyond a completion's end, its first."""
        return _indices(self.start_N, self.lengths_N)

    def prompt_indices_PL(self) -> Tensor:
        """Return which of the M each token of a prompt is; beyond a prompt's end, its first."""
        return _indices(self.prompt_start_P, self.prompt_lengths_P)

    def prompt_mask_PL(self) -> Tensor:
        """Return which of the P x L entries hold a token of a prompt."""
        return _within(self.prompt_lengths_P)

    def rows_NL(self) -> Tensor:
        """Return which of the M are each completion's prompt and then its own tokens.

        Beyond a completion's end stands its first token again.
        """
        prompts_N1 = self.prompt_lengths_P[self.prompt_N, None]
        lengths_N1 = self.lengths_N[:, None]
        columns_L = torch.arange(int((prompts_N1 + lengths_N1).max()), device=self.start_N.device)
        own_NL = columns_L - prompts_N1
        own_NL = torch.where(own_NL < lengths_N1, own_NL, 0)
        return torch.where(
            own_NL < 0,
            self.prompt_start_P[self.prompt_N, None] + columns_L,
            self.start_N[:, None] + own_NL,
        )

    def before_NT(self) -> Tensor:
        """Return which of the M stands before each sampled token, and predicts it."""
        last_N = (self.prompt_start_P + self.prompt_lengths_P - 1)[self.prompt_N]
        return torch.cat((last_N[:, None], self.indices_NT()[:, :-1]), 1)


def _within(lengths: Tensor) -> Tensor:
    return torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]


def _indices(start: Tensor, lengths: Tensor) -> Tensor:
    within = _within(lengths)
    columns = torch.arange(within.shape[1], device=start.device)
    return start[:, None] + columns * within
