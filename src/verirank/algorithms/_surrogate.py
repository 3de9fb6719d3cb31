"""The clipped surrogate that the algorithms share, as a weighted sum over tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verirank.config import AlgorithmConfig


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """What the loss needs of N sequences beside the policy's log-probabilities.

    Tokens are the sampled ones, padded on the right to T. `weights_N` is the weight of each token
    of a sequence in the loss. `sampler_NT` are the sampler's log-probabilities, `old_NT` those of
    the policy before the first inner update (None: this is the first inner update), `reference_NT`
    those of the base, needed for a KL penalty only.
    """

    mask_NT: Tensor
    advantages_N: Tensor
    weights_N: Tensor
    sampler_NT: Tensor
    old_NT: Tensor | None = None
    reference_NT: Tensor | None = None


@dataclass(frozen=True, slots=True)
class LossSums:
    """Token sums behind the loss metrics; micro-batches add up with `+`."""

    tokens: Tensor
    clipped: Tensor
    kl_train_sampler: Tensor
    logprobs: Tensor

    @classmethod
    def zero(cls, device: torch.device) -> LossSums:
        """Return the sums of no tokens at all."""
        counts = (torch.zeros((), dtype=torch.long, device=device) for _ in range(2))
        return cls(*counts, *(torch.zeros((), device=device) for _ in range(2)))

    def __add__(self, other: LossSums) -> LossSums:
        return LossSums(
            self.tokens + other.tokens,
            self.clipped + other.clipped,
            self.kl_train_sampler + other.kl_train_sampler,
            self.logprobs + other.logprobs,
        )

    def means(self) -> dict[str, float]:
        """Return `clip_fraction`, `kl_train_sampler` and `entropy` (nats a token) over the tokens.

        The entropy is estimated by the mean negative log-probability of what was sampled.
        """
        tokens = self.tokens.clamp(min=1)
        return {
            "clip_fraction": (self.clipped / tokens).item(),
            "kl_train_sampler": (self.kl_train_sampler / tokens).item(),
            "entropy": (-self.logprobs / tokens).item(),
        }


def k3(log_ratio: Tensor) -> Tensor:
    """Return the k3 estimate of KL(q || p) from log(p / q) at samples of q.

    It is unbiased and never negative: exp(x) - x - 1 (Schulman, "Approximating KL Divergence",
    2020; DeepSeekMath, arXiv:2402.03300, eq. 4).

    Args:
        log_ratio: log p - log q of each sample, any shape, nats.

    Returns:
        One estimate a sample, the same shape, nats.
    """
    return torch.expm1(log_ratio) - log_ratio


def clipped_surrogate(
    logprobs_NT: Tensor, batch: TokenBatch, config: AlgorithmConfig
) -> tuple[Tensor, LossSums]:
    """Return the weighted sum over tokens of the clipped surrogate, with its metrics' sums.

    Per token: -min(r A, clip(r, 1 - clip_low, 1 + clip_high) A) with r = exp(logprob - old) (PPO,
    arXiv:1707.06347, eq. 7), corrected and penalised as in `total_loss`.

    Args:
        logprobs_NT: the policy's log-probabilities of the sampled tokens, nats; carries gradient.
        batch: the same sequences' masks, advantages, weights and other log-probabilities.
        config: clip range, KL coefficient and importance cap.

    Returns:
        The loss, a scalar in fp32 that adds up over micro-batches, and the sums of the metrics.

    Raises:
        ValueError: there is a KL coefficient but no reference.
    """
    loss_NT, clipped_NT = clipped(log_ratio(logprobs_NT, batch).exp(), batch, config)
    return total_loss(loss_NT, clipped_NT, logprobs_NT, batch, config)


def log_ratio(logprobs_NT: Tensor, batch: TokenBatch) -> Tensor:
    """Return logprob - old of every token, N x T, in nats; 0 in the padding."""
    logprobs_NT = logprobs_NT.float()
    return _masked(logprobs_NT - _old(logprobs_NT, batch), batch.mask_NT.bool())


def sequence_ratio(logprobs_NT: Tensor, batch: TokenBatch) -> Tensor:
    """Return the ratio of a whole sequence per token, N x 1: exp(mean of log ratios).

    GSPO, arXiv:2507.18071, eq. 7.
    """
    lengths_N1 = batch.mask_NT.sum(1, keepdim=True).clamp(min=1)
    return (log_ratio(logprobs_NT, batch).sum(1, keepdim=True) / lengths_N1).exp()


def clipped(ratio: Tensor, batch: TokenBatch, config: AlgorithmConfig) -> tuple[Tensor, Tensor]:
    """Return PPO's clipped loss and where it is clipped.

    Args:
        ratio: of every token, N x T, or of every sequence, N x 1.
        batch: the same sequences.
        config: the clip range.

    Returns:
        Both in the shape of `ratio`.
    """
    advantages_N1 = batch.advantages_N.float().unsqueeze(1)
    limited = ratio.clamp(1 - config.clip_low, 1 + config.clip_high)
    loss = -torch.minimum(ratio * advantages_N1, limited * advantages_N1)
    too_low = (ratio < 1 - config.clip_low) & (advantages_N1 < 0)
    too_high = (ratio > 1 + config.clip_high) & (advantages_N1 > 0)
    return loss, too_low | too_high


def total_loss(
    loss_NT: Tensor,
    clipped_NT: Tensor,
    logprobs_NT: Tensor,
    batch: TokenBatch,
    config: AlgorithmConfig,
) -> tuple[Tensor, LossSums]:
    """Correct every token's loss for the sampler, add the KL penalty, weigh and sum.

    Per token: loss c + kl_coefficient k3(base), with the truncated importance correction
    c = min(exp(old - sampler), importance_cap), which carries no gradient (0: c = 1).

    Args:
        loss_NT: of every token, N x T, or one shared by the tokens of a sequence, N x 1.
        clipped_NT: where the loss is clipped, N x T or N x 1.
        logprobs_NT: the policy's log-probabilities of the sampled tokens, nats; carries gradient.
        batch: the same sequences.
        config: KL coefficient and importance cap.

    Returns:
        The loss, a scalar in fp32 that adds up over micro-batches, and the sums of the metrics.

    Raises:
        ValueError: there is a KL coefficient but no reference.
    """
    mask_NT, logprobs_NT = batch.mask_NT.bool(), logprobs_NT.float()
    sampler_gap_NT = sampler_gap(logprobs_NT, batch)
    if config.importance_cap > 0:
        loss_NT = loss_NT * sampler_gap_NT.exp().clamp(max=config.importance_cap)
    if config.kl_coefficient > 0:
        if batch.reference_NT is None:
            raise ValueError(
                "a KL penalty needs the base's log-probabilities: reference_NT is None"
            )
        reference_gap_NT = _masked(batch.reference_NT.float() - logprobs_NT, mask_NT)
        loss_NT = loss_NT + config.kl_coefficient * k3(reference_gap_NT)
    loss = (loss_NT * mask_NT * batch.weights_N.float().unsqueeze(1)).sum()
    sums = LossSums(
        tokens=mask_NT.sum(),
        clipped=(clipped_NT & mask_NT).sum(),
        kl_train_sampler=k3(sampler_gap_NT).sum(),
        logprobs=_masked(logprobs_NT.detach(), mask_NT).sum(),
    )
    return loss, sums


def sampler_gap(logprobs_NT: Tensor, batch: TokenBatch) -> Tensor:
    """Return old - sampler of every token, N x T, in nats; 0 in the padding, no gradient."""
    gap_NT = _old(logprobs_NT.float(), batch) - batch.sampler_NT.float()
    return _masked(gap_NT, batch.mask_NT.bool())


def _old(logprobs_NT: Tensor, batch: TokenBatch) -> Tensor:
    return logprobs_NT.detach() if batch.old_NT is None else batch.old_NT.float()


def _masked(difference_NT: Tensor, mask_NT: Tensor) -> Tensor:
    # Before any exp(): padding may hold -inf or garbage, and inf * 0 would poison the sum.
    return difference_NT.masked_fill(~mask_NT, 0.0)
