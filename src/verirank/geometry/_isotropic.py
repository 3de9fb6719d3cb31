"""The null that measures are held against: an update without any preferred direction."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from verirank.geometry._spectra import effective_rank, stable_rank
from verirank.geometry._subspaces import singular_values

_SEED = 2511_08567
"""No seed that a run would take: an adapter drawn from the same stream would be correlated."""


def isotropic_update(shape: torch.Size, norm: float) -> Tensor:
    """Return the fp32 update of independent normal entries that has this Frobenius norm.

    Equal shapes get the same draws, so that an analysis repeated gives the same numbers.
    """
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(_SEED))
    return noise.mul_(norm / float(noise.norm()))


@cache
def isotropic_ranks(shape: torch.Size) -> tuple[float | None, float]:
    """Return effective and stable rank of an isotropic update of any norm."""
    values_R = singular_values(isotropic_update(shape, 1.0))
    return effective_rank(values_R), stable_rank(values_R)
