"""Log-probabilities of sampled tokens: prompts shared, logits never held as N x T x V."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from verirank.processes import shard

_ROWS = 1024
"""Tokens whose logits exist at the same time; the backward pass computes them again."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """N completions in R rows, each row a prompt with one or more of its completions behind it.

    `tokens_RL` is padded on the right; `part_RL` is 0 at prompt tokens and padding, and k at the
    row's k-th completion. Completion n stands in row `row_N[n]` from column `start_N[n]` on and has
    `lengths_N[n]` tokens; its prompt has `prompt_lengths_N[n]`.
    """

    tokens_RL: Tensor
    part_RL: Tensor
    row_N: Tensor
    start_N: Tensor
    lengths_N: Tensor
    prompt_lengths_N: Tensor

    def mask_NT(self) -> Tensor:
        """Return which of the N x T places hold a sampled token."""
        places_T = torch.arange(int(self.lengths_N.max()), device=self.lengths_N.device)
        return places_T < self.lengths_N[:, None]

    def positions_RL(self) -> Tensor:
        """Return each token's position: every completion counts on from the end of its prompt."""
        columns = torch.ones_like(self.tokens_RL).cumsum(1) - 1
        for row, start, length, prompt in zip(
            self.row_N.tolist(),
            self.start_N.tolist(),
            self.lengths_N.tolist(),
            self.prompt_lengths_N.tolist(),
            strict=True,
        ):
            columns[row, start : start + length] -= start - prompt
        return columns

    def share_prompts(self) -> bool:
        """Return whether any row has several completions.

        Where none has, plain causal attention is right: real tokens never see the padding that
        stands behind them.
        """
        return int(self.part_RL.max()) > 1

    def attention_mask(self) -> Tensor:
        """Return R x 1 x L x L: a token sees its prompt and its own completion, never another's."""
        length = self.part_RL.shape[1]
        seen = (self.part_RL[:, None, :] == 0) | (
            self.part_RL[:, None, :] == self.part_RL[:, :, None]
        )
        causal = torch.ones(length, length, dtype=torch.bool, device=seen.device).tril()
        return (seen & causal)[:, None]


class CompletionLogprobs(nn.Module):
    """Maps sequences to the log-probabilities of their sampled tokens; see `completion_logprobs`.

    A module of its own, because nothing outside its forward pass may use a sharded parameter.
    """

    def __init__(self, model: Any, temperature: float) -> None:
        """Compute by a causal language model; the temperature is the one of sampling."""
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, sequences: Sequences) -> Tensor:
        """Return N x T, fp32, nats; 0 where there is no token."""
        return completion_logprobs(self.model, sequences, self.temperature)

    def checkpoint_layers(self) -> None:
        """Let every decoder layer keep its input alone, and compute the rest again backward."""
        self.model.gradient_checkpointing_enable({"use_reentrant": False})
        for layer in self.model.get_decoder().layers:
            # transformers checkpoints a layer in training mode only; what could drop out in that
            # mode stands inside the layer, and stays in evaluation mode.
            layer.training = True

    def shard(self) -> None:
        """Split the model over the processes, a decoder layer at a time."""
        shard(self, self.model.get_decoder().layers, self.model.device.type)


def completion_logprobs(model: Any, sequences: Sequences, temperature: float) -> Tensor:
    """Return the model's log-probability of every sampled token, at the sampling temperature.

    Args:
        model: a transformers causal language model, adapted or plain.
        sequences: the tokens.
        temperature: the one that the tokens were sampled at.

    Returns:
        N x T, fp32, nats; 0 where there is no token.
    """
    shared = sequences.share_prompts()
    hidden_RLH = model.get_decoder()(
        input_ids=sequences.tokens_RL,
        attention_mask=sequences.attention_mask() if shared else None,
        position_ids=sequences.positions_RL() if shared else None,
        use_cache=False,
    )[0]
    mask_NT = sequences.mask_NT()
    n, t = mask_NT.nonzero(as_tuple=True)
    row, place = sequences.row_N[n], sequences.start_N[n] + t
    before = torch.where(t == 0, sequences.prompt_lengths_N[n], place) - 1
    hidden_MH, tokens_M = hidden_RLH[row, before], sequences.tokens_RL[row, place]
    head = model.get_output_embeddings()
    chunks = [
        checkpoint(_chosen_logprobs, head, hidden, tokens, temperature, use_reentrant=False)
        for hidden, tokens in zip(hidden_MH.split(_ROWS), tokens_M.split(_ROWS), strict=True)
    ]
    nothing_NT = torch.zeros(mask_NT.shape, device=mask_NT.device)
    return nothing_NT.index_put((n, t), torch.cat(chunks))


def _chosen_logprobs(
    head: nn.Module, hidden_MH: Tensor, tokens_M: Tensor, temperature: float
) -> Tensor:
    logits_MV = head(hidden_MH).float() / temperature
    return logits_MV.gather(1, tokens_M[:, None])[:, 0] - logits_MV.logsumexp(1)
