"""Drawing tokens: each row's distribution inverted at a uniform number of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_BLOCK = 256
"""Tokens of the vocabulary whose probabilities are added up together in drawing."""


def storage_for_drawing(logits_NV: Tensor) -> Tensor:
    """Return storage in which as many rows can be drawn; made anew, it is zeroed by the system."""
    whole = -(-logits_NV.shape[1] // _BLOCK) * _BLOCK
    return logits_NV.new_empty((len(logits_NV), whole), dtype=torch.float32)


def draw(
    logits_NV: Tensor, uniforms_N: Tensor, temperature: float, storage_NV: Tensor
) -> tuple[Tensor, Tensor]:
    """Invert each row's distribution at its uniform number; return tokens and log-probabilities.

    The number is searched among the sums of blocks of tokens, then within its block, so that only
    these sums need the precision that the tail of a large vocabulary asks for. `storage_NV` is
    written over.
    """
    n, vocabulary = logits_NV.shape
    padded_NV = storage_NV[:n]
    blocks = padded_NV.shape[1] // _BLOCK
    padded_NV[:, vocabulary:] = float("-inf")
    padded_NV[:, :vocabulary] = logits_NV
    if temperature != 1:
        padded_NV /= temperature
    most_N1 = padded_NV.amax(1, keepdim=True)
    # In place of the logits, every token's probability up to a factor common to the row.
    weights_NBK = padded_NV.sub_(most_N1).exp_().view(n, blocks, _BLOCK)
    until_NB = weights_NBK.sum(-1).to(uniforms_N.dtype).cumsum(-1)
    whole_N1 = until_NB[:, -1:]
    blocks_N1 = _first_above(until_NB, uniforms_N[:, None])
    until_N0B = nn.functional.pad(until_NB, (1, 0))
    before_N1, after_N1 = (until_N0B.gather(1, blocks_N1 + end) for end in (0, 1))
    inside_NK = weights_NBK[torch.arange(n, device=logits_NV.device), blocks_N1[:, 0]]
    # Within the block by fraction again, because its own sum is rounded otherwise than the blocks'.
    fraction_N1 = (uniforms_N[:, None] * whole_N1 - before_N1) / (after_N1 - before_N1)
    offsets_N1 = _first_above(inside_NK.to(uniforms_N.dtype).cumsum(-1), fraction_N1)
    tokens_N1 = (blocks_N1 * _BLOCK + offsets_N1).clamp(max=vocabulary - 1)
    chosen_N1 = logits_NV.gather(1, tokens_N1).float() / temperature
    logprobs_N1 = chosen_N1 - most_N1 - whole_N1.float().log()
    return tokens_N1[:, 0], logprobs_N1[:, 0]


def _first_above(until_NK: Tensor, fraction_N1: Tensor) -> Tensor:
    """Return the first index whose running sum is above a fraction of the row's total, N x 1.

    Rounding never leads beyond the last index with a part of the total. Of a row that is not
    a number it is the last one.
    """
    whole_N1 = until_NK[:, -1:].contiguous()
    below_N1 = torch.nextafter(whole_N1, torch.zeros_like(whole_N1))
    target_N1 = torch.minimum(fraction_N1 * whole_N1, below_N1)
    return torch.searchsorted(until_NK, target_N1, right=True).clamp(max=until_NK.shape[1] - 1)


def exact_on(device: torch.device) -> torch.dtype:
    """Return the dtype of uniform numbers on a device: float64, which MPS has not."""
    return torch.float32 if device.type == "mps" else torch.float64


def uniforms(seed: int, n: int) -> Tensor:
    """Return n uniform numbers in [0, 1), the first of the stream of a seed.

    Drawn in float64, so that the tail of a large vocabulary is drawn as often as it should be, and
    on the CPU, so that a seed means the same everywhere.
    """
    random = torch.Generator("cpu").manual_seed(seed)
    return torch.rand(n, generator=random, dtype=torch.float64, device="cpu")
