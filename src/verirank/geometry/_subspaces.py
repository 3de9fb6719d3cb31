"""Singular directions of a weight, and the angles between the subspaces that they span.

Letters of array names: M outputs, N inputs, R = min(M, N), K the directions of a subspace.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

TOP = 32
"""The most directions that a leading subspace has."""


@dataclass(frozen=True)
class Directions:
    """Singular values in descending order, with left and right singular vectors as columns.

    `values_R` are all of the matrix; `left_MK` and `right_NK` may be the leading ones only.
    """

    values_R: Tensor
    left_MK: Tensor
    right_NK: Tensor

    def leading(self, k: int) -> Directions:
        """Return a copy with the first k vectors on either side, so that the rest can be freed."""
        return Directions(self.values_R, self.left_MK[:, :k].clone(), self.right_NK[:, :k].clone())


def directions(weight_MN: Tensor) -> Directions:
    """Decompose a weight as U diag(s) V^T.

    This is LAPACK's dense decomposition (gesdd), not the eigenvectors of the Gram matrix: those
    cost half as much, but square the condition number, and in fp32 every singular value below
    3e-4 of the largest would be lost. A wide matrix is decomposed through its transpose, which
    takes two thirds of the time.
    """
    if weight_MN.shape[0] < weight_MN.shape[1]:
        turned = directions(weight_MN.T.contiguous())
        return Directions(turned.values_R, turned.right_NK, turned.left_MK)
    left_MR, values_R, right_RN = torch.linalg.svd(weight_MN, full_matrices=False)
    return Directions(values_R, left_MR, right_RN.T)


def singular_values(weight_MN: Tensor) -> Tensor:
    """Return the singular values alone, in descending order, in half the time."""
    tall = weight_MN if weight_MN.shape[0] >= weight_MN.shape[1] else weight_MN.T.contiguous()
    return torch.linalg.svdvals(tall)


def top_k(shape: tuple[int, int]) -> int:
    """Return the size of a leading subspace: a quarter of the directions, and at most `TOP`.

    More would leave no room to turn: subspaces of all the directions are always the same.
    """
    return max(1, min(TOP, min(shape) // 4))


def principal_angles(first_NK: Tensor, second_NK: Tensor) -> Tensor:
    """Return the angles between two subspaces in radians, ascending.

    Their cosines are the singular values of X^T Y. In fp32 a cosine cannot tell angles below 3e-4
    from 0, so small ones come from their sines, the singular values of Y - X X^T Y (Björck and
    Golub, Mathematics of Computation 27, 1973).

    Args:
        first_NK: orthonormal columns X.
        second_NK: orthonormal columns Y.
    """
    shared_KK = first_NK.T @ second_NK
    cosines_K = torch.linalg.svdvals(shared_KK).clamp(max=1)
    sines_K = torch.linalg.svdvals(second_NK - first_NK @ shared_KK).flip(0).clamp(max=1)
    return torch.where(cosines_K > sqrt(0.5), sines_K.asin(), cosines_K.acos())


def subspace_overlap(first_NK: Tensor, second_NK: Tensor) -> float:
    """Return ||X^T Y||_F^2 / k: 1 for the same subspace, k/n for two random ones.

    Args:
        first_NK: orthonormal columns X.
        second_NK: orthonormal columns Y.
    """
    return float((first_NK.T @ second_NK).square().sum()) / first_NK.shape[1]
