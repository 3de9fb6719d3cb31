"""Which entries of a weight an update moves: sparsity, what bf16 can hold, shared masks."""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-3
"""The relative change up to which an entry counts as not updated (arXiv:2511.08567)."""
_BF16_DIGITS = 8
_BF16_LEAST_EXPONENT = -133


def update_mask(before: Tensor, after: Tensor) -> Tensor:
    """Return where |w+ - w0| > 1e-3 max(|w+|, |w0|): the entries that were updated."""
    return (after - before).abs() > TOLERANCE * torch.maximum(before.abs(), after.abs())


def sparsity(before: Tensor, after: Tensor) -> float:
    """Return the fraction of entries that were not updated."""
    return 1 - _density(update_mask(before, after))


def below_half_ulp(before: Tensor, after: Tensor) -> float:
    """Return the fraction of entries whose change is smaller than half a bf16 ULP of the old value.

    Such a change is rounded away if the old value stands on bf16's grid.
    """
    return _density((after - before).abs() < _bf16_ulp(before) / 2)


def jaccard(first: Tensor, second: Tensor) -> float | None:
    """Return |A and B| / |A or B| of two masks; None if both are empty."""
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else None


def jaccard_chance(first: Tensor, second: Tensor) -> float | None:
    """Return pq / (p + q - pq), the overlap of independent masks with these masks' densities."""
    p, q = _density(first), _density(second)
    return p * q / (p + q - p * q) if p or q else None


def cosine(first: Tensor, second: Tensor) -> float:
    """Return the cosine between two updates, neither of them zero; independent ones have 0."""
    return float((first / first.norm()).mul_(second / second.norm()).sum())


def _bf16_ulp(values: Tensor) -> Tensor:
    """Return the distance from each value to the next larger bf16 in magnitude."""
    _, exponents = torch.frexp(values)
    steps = (exponents - _BF16_DIGITS).clamp(min=_BF16_LEAST_EXPONENT)
    # frexp gives zero the exponent 0, as if it were near 1.
    steps = steps.masked_fill(values == 0, _BF16_LEAST_EXPONENT)
    return torch.ldexp(torch.ones_like(values), steps)


def _density(mask: Tensor) -> float:
    return int(mask.sum()) / mask.numel()
