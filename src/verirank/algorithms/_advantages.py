"""Advantages relative to the other samples of the same problem."""

from __future__ import annotations

from torch import Tensor

_EPSILON = 1e-4  # keeps groups of equal rewards finite; TRL's value


def centred(rewards_PG: Tensor) -> Tensor:
    """Return each reward minus its group's mean, P x G (Dr. GRPO, arXiv:2503.20783, sec. 3.2)."""
    rewards_PG = rewards_PG.float()
    return rewards_PG - rewards_PG.mean(dim=1, keepdim=True)


def normalised(rewards_PG: Tensor) -> Tensor:
    """Return centred rewards over the group's unbiased standard deviation, P x G.

    The group-relative advantage of DeepSeekMath (arXiv:2402.03300, sec. 4.1.2) and of DAPO
    (arXiv:2503.14476, eq. 9).
    """
    return centred(rewards_PG) / (rewards_PG.float().std(dim=1, keepdim=True) + _EPSILON)


def leave_one_out(rewards_PG: Tensor) -> Tensor:
    """Return each reward minus the mean of its group's others, P x G (arXiv:2402.14740, eq. 8)."""
    size = rewards_PG.shape[1]
    return centred(rewards_PG) * (size / (size - 1))


def batch_normalised(rewards_PG: Tensor) -> Tensor:
    """Return group-centred rewards over their standard deviation in the whole batch, P x G.

    REINFORCE++ with a baseline (arXiv:2501.03262, sec. 3.2). Centred groups have mean 0.
    """
    centred_PG = centred(rewards_PG)
    return centred_PG / (centred_PG.std() + _EPSILON)
