"""What a spectrum says: how far it shifted, and over how many directions it is spread."""

from __future__ import annotations

from math import exp, sqrt

import torch
from torch import Tensor


def spectral_shift(before_R: Tensor, after_R: Tensor) -> float:
    """Return NSS = ||s(W+) - s(W0)||_2 / ||s(W0)||_2 (arXiv:2511.08567).

    In fp32 it is right to 2 % for an update of 1e-4 of the weight's norm, and to a factor of 2 for
    one of 1e-5.

    Args:
        before_R: singular values of W0, in descending order, not all zero.
        after_R: those of W+.
    """
    return float((after_R - before_R).norm() / before_R.norm())


def effective_rank(values_R: Tensor, floor: float = 0.0) -> float | None:
    """Return exp(entropy of s_i / sum s) (Roy and Vetterli, EUSIPCO 2007); None if s is all zero.

    Args:
        values_R: singular values.
        floor: those at or below it are left out; see `rounding_floor`.
    """
    kept = values_R[values_R > floor].double()
    if not len(kept):
        return None
    fractions = kept / kept.sum()
    return exp(float(torch.special.entr(fractions).sum()))


def stable_rank(values_R: Tensor) -> float:
    """Return ||D||_F^2 / ||D||_2^2 from singular values in descending order, not all zero."""
    values_R = values_R.double()
    return float((values_R / values_R[0]).square().sum())


def rounding_floor(weight_MN: Tensor) -> float:
    """Return a bound on the singular values that fp32 rounding of a weight gives to its update.

    Rounding adds independent noise with a standard deviation of ULP / sqrt(12) to every entry. The
    largest singular value of an M x N noise matrix is sd (sqrt(M) + sqrt(N)); twice that leaves
    room for weights that are rounded more than once. Without it, hundreds of values of pure noise
    would raise the effective rank of a small low-rank update.
    """
    _, exponents = torch.frexp(weight_MN)
    # frexp gives zero the exponent 0, as if it were near 1.
    ulp_MN = torch.ldexp(torch.ones_like(weight_MN), exponents - 24).masked_fill(weight_MN == 0, 0)
    sd = float(ulp_MN.square().mean().sqrt()) / sqrt(12)
    return 2 * sd * (sqrt(weight_MN.shape[0]) + sqrt(weight_MN.shape[1]))
