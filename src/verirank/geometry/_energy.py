"""How an update's energy is spread over the singular directions of the weight."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from torch import Tensor

FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Where cumulative energies are read: the leading fraction of the min(M, N) directions."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Cumulative fractions of energy at each of `FRACTIONS`.

    `update` is the update's, `base` that of the weight before it, and `isotropic` what a random
    update without any preferred direction has. On the longer side of a matrix, an update may lie
    partly outside the weight's directions; then its curve and the isotropic one end below 1.
    """

    update: tuple[float, ...]
    base: tuple[float, ...]
    isotropic: tuple[float, ...]


def direction_energy(change_MN: Tensor, directions_NR: Tensor) -> Tensor:
    """Return ||D v_j||^2 / ||D||_F^2 for each column v_j.

    Args:
        change_MN: the update D, not all zero; its transpose gives the energy of left directions.
        directions_NR: orthonormal columns.
    """
    return (change_MN @ directions_NR).square().sum(0) / change_MN.square().sum()


def energy_curve(change_MN: Tensor, values_R: Tensor, directions_NR: Tensor) -> Curve:
    """Return the cumulative energy over a weight's right singular directions.

    Args:
        change_MN: the update D; its transpose, with left directions, gives the left curve.
        values_R: singular values of W0, not all zero.
        directions_NR: its right singular vectors.

    Returns:
        The curve; an isotropic update has the fraction c/N in any c of N directions.
    """
    counts = [ceil(fraction * len(values_R)) for fraction in FRACTIONS]
    energy_R = values_R.square() / values_R.square().sum()
    return Curve(
        update=_cumulative(direction_energy(change_MN, directions_NR), counts),
        base=_cumulative(energy_R, counts),
        isotropic=tuple(count / len(directions_NR) for count in counts),
    )


def in_span_ratio(change_MN: Tensor, left_MK: Tensor, right_NK: Tensor) -> float:
    """Return ||P_U D P_V||_F^2 / ||D||_F^2, whose chance level is k^2 / (M N).

    Args:
        change_MN: the update D, not all zero.
        left_MK: the leading left singular vectors of W0.
        right_NK: the leading right ones.
    """
    inside = (left_MK.T @ change_MN @ right_NK).square().sum()
    return float(inside / change_MN.square().sum())


def _cumulative(energy_R: Tensor, counts: list[int]) -> tuple[float, ...]:
    sums = energy_R.double().cumsum(0)
    return tuple(float(sums[count - 1]) for count in counts)
