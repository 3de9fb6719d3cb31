"""BNPO: GRPO whose loss is the mean over the tokens of the batch; or with its paper's advantage."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from verirank.algorithms._advantages import centred, normalised
from verirank.algorithms._algorithm import BatchTotals
from verirank.algorithms.grpo import GRPO
from verirank.config import AlgorithmConfig, InputError

_LARGEST = 1e6
"""What the released code limits the inverse of the density to."""
_EQUAL = 1e-6
"""Means that differ by no more are equal."""


class BNPOConfig(AlgorithmConfig):
    """GRPO's settings, and what centred rewards are divided by.

    `normalisation` of `group` takes the group's standard deviation, as TRL's `bnpo` does; `beta`
    the density of a Beta distribution at the group's mean, as the paper of that name does. The
    latter needs rewards between 0 and 1.
    """

    name: str = "bnpo"
    normalisation: Literal["group", "beta"] = "group"


class BNPO(GRPO):
    """Token-level averaging over the batch of group-normalised or Beta-normalised advantages.

    By default the loss that TRL calls `bnpo`, which has the name of a paper (arXiv:2506.02864) but
    not its normalisation; that is `normalisation="beta"`. The released code of the paper also sums
    a completion's tokens, as Dr. GRPO does up to a constant, and clips at 0.28 above; here tokens
    are averaged in both. Weights are taken over the whole batch, not over a micro-batch, so
    gradient accumulation does not change the loss.
    """

    name = "bnpo"
    reference = "arXiv:2506.02864"
    summary = "A mean over the tokens of the batch; or the advantages normalised by a Beta density."
    Config = BNPOConfig

    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Return centred rewards over the group's standard deviation or the Beta density, P x G.

        Raises:
            InputError: the normalisation is `beta` and a group's mean is not between 0 and 1.
        """
        if self.config.normalisation == "group":
            return normalised(rewards_PG)
        density_P = beta_density(rewards_PG.double().mean(1))
        return (centred(rewards_PG) * (1 / density_P).clamp(max=_LARGEST)[:, None]).float()

    def token_weights(self, lengths_N: Tensor, totals: BatchTotals) -> Tensor:
        """Return 1 / (tokens of the batch), N."""
        return torch.full_like(lengths_N, 1.0 / max(totals.tokens, 1), dtype=torch.float32)


def beta_density(p_P: Tensor) -> Tensor:
    """Return the density of Beta(1 + a/3, 1 + b/3) at the mean rewards of a batch's groups, P.

    Beta(a, b) has the mean and the unbiased variance of the P means themselves. If these are its
    draws, no other Beta density makes the variance of the advantages smaller: E[p (1 - p) / f(p)^2]
    = B(alpha, beta)^2 B(a + 3 - 2 alpha, b + 3 - 2 beta) / B(a, b), which is least where its
    arguments are equal. Beta(1, 1) gives REINFORCE with a baseline, and Beta(3/2, 3/2) GRPO's
    advantage up to a constant (arXiv:2506.02864). Means that are all equal, or one alone, give
    Beta(1, 1).

    Raises:
        InputError: a mean is not between 0 and 1.
    """
    if not ((p_P >= 0) & (p_P <= 1)).all():
        raise InputError("algorithm.normalisation = 'beta' needs rewards between 0 and 1")
    mean = p_P.mean()
    concentration = torch.zeros_like(mean)
    if p_P.max() - p_P.min() > _EQUAL:
        concentration = mean * (1 - mean) / p_P.var() - 1
    alpha = 1 + (concentration * mean / 3).clamp(min=0)
    beta = 1 + (concentration * (1 - mean) / 3).clamp(min=0)
    log_norm = torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
    return (torch.xlogy(alpha - 1, p_P) + torch.xlogy(beta - 1, 1 - p_P) - log_norm).exp()
