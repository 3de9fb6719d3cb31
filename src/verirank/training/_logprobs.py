"""Log-probabilities of sampled tokens, without ever holding N x T x V of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_ROWS = 1024
"""Tokens whose logits exist at the same time; the backward pass computes them again."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """N prompts with their completions, padded on the right.

    `tokens_NL` holds prompt and completion; sequence n has `prompt_lengths_N[n]` prompt tokens and
    then `lengths_N[n]` sampled ones.
    """

    tokens_NL: Tensor
    prompt_lengths_N: Tensor
    lengths_N: Tensor

    def mask_NT(self) -> Tensor:
        """Return which of the N x T places hold a sampled token."""
        return torch.arange(int(self.lengths_N.max())) < self.lengths_N[:, None]


def completion_logprobs(model: Any, sequences: Sequences, temperature: float) -> Tensor:
    """Return the model's log-probability of every sampled token, at the sampling temperature.

    Args:
        model: a transformers causal language model, adapted or plain.
        sequences: the tokens.
        temperature: the one that the tokens were sampled at.

    Returns:
        N x T, fp32, nats; 0 where there is no token.
    """
    # Right padding needs no mask: a causal model's real tokens never see what stands behind them.
    hidden_NLH = model.get_decoder()(input_ids=sequences.tokens_NL, use_cache=False)[0]
    mask_NT = sequences.mask_NT()
    n, t = mask_NT.nonzero(as_tuple=True)
    place = sequences.prompt_lengths_N[n] + t
    hidden_RH, tokens_R = hidden_NLH[n, place - 1], sequences.tokens_NL[n, place]
    head = model.get_output_embeddings()
    rows = [
        checkpoint(_chosen_logprobs, head, hidden, tokens, temperature, use_reentrant=False)
        for hidden, tokens in zip(hidden_RH.split(_ROWS), tokens_R.split(_ROWS), strict=True)
    ]
    return torch.zeros(mask_NT.shape).index_put((n, t), torch.cat(rows))


def _chosen_logprobs(
    head: nn.Module, hidden_RH: Tensor, tokens_R: Tensor, temperature: float
) -> Tensor:
    logits_RV = head(hidden_RH).float() / temperature
    return logits_RV.gather(1, tokens_R[:, None])[:, 0] - logits_RV.logsumexp(1)
