"""The scores of a search's finalists, the learning rate that follows, and how surely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verirank.statistics._bootstrap import fixed_generator
from verirank.statistics._pairs import contrasts
from verirank.statistics._scores import FloatArray, as_finite
from verirank.statistics._seed_noise import noise_of_differences

_REPEATS = 2000
"""Searches that are drawn around a search's own scores."""
_QUARTER = 0.25
"""Of the way to the next rate, as far as a search goes from a rate that it has trained."""


@dataclass(frozen=True, slots=True)
class FinalScores:
    """The scores of a search's finalists, and the learning rate that follows from them.

    A parabola over log rate goes through the best rate and the finalists beside it. Where it bends
    down, the search goes towards its maximum between these rates, but no further than a quarter of
    the way to the next rate (successive parabolic interpolation: Brent, Algorithms for Minimization
    without Derivatives, 1973, ch. 5). A maximum further off means that one side falls three times
    as far as the other, and three scores do not tell such a parabola from a cliff. Elsewhere, and
    with fewer than three rates side by side, it chooses the best rate itself.

    Attributes:
        rates_G: all rates of the search, ascending.
        finalists: the indices in it of the rates that were trained to the end, ascending.
        values_RSP: of each of these, the fraction of right samples of each seed and problem.
    """

    rates_G: tuple[float, ...]
    finalists: tuple[int, ...]
    values_RSP: FloatArray

    def __post_init__(self) -> None:
        """Refuse scores that do not belong to the finalists.

        Raises:
            ValueError: not R x S x P of R finalists, rates are not ascending and positive, or a
                value is not finite.
        """
        object.__setattr__(self, "values_RSP", as_finite(self.values_RSP, ndim=3))
        as_finite(self.rates_G, ndim=1)
        are_valid = list(self.finalists) == sorted({*self.finalists} & {*range(len(self.rates_G))})
        is_grid = self.rates_G[0] > 0 and list(self.rates_G) == sorted(set(self.rates_G))
        if not are_valid or not is_grid or len(self.finalists) != len(self.values_RSP):
            raise ValueError("a search needs ascending rates, and the values of each finalist")

    @property
    def best(self) -> float:
        """The finalist with the highest score; of equal ones the lowest rate."""
        return self.rates_G[self.finalists[_best(self.values_RSP.mean(axis=(1, 2)))]]

    @property
    def rate(self) -> float:
        """The rate that the search chooses, with three digits where the curve moves it."""
        (rate,) = self._chosen(self.values_RSP.mean(axis=(1, 2))[None])[1]
        return self.best if rate == np.log10(self.best) else float(f"{10**rate:.3g}")

    def search_variance(self) -> float:
        """Return the mean square of what the chosen rate falls short of the best one.

        Where the curve's maximum was too far off to go there, all that it lies above the best rate
        may be what is missed. And the search is repeated on scores drawn around its own, with the
        noise of the differences between its finalists, and each repeat's rate is looked up on its
        own curve (a parametric bootstrap: Davison and Hinkley, Bootstrap Methods and their
        Application, 1997, sec. 2.2).
        One seed or problem tells no noise, and so no variance.
        """
        mean_R = self.values_RSP.mean(axis=(1, 2))
        error = np.sqrt(self._noise() / 2)
        drawn_DR = fixed_generator().normal(mean_R, error, (_REPEATS, len(mean_R)))
        top_D = self._on_curve(mean_R, *self._chosen(mean_R[None]))
        reached_D = self._on_curve(mean_R, *self._chosen(drawn_DR))
        return float(np.mean((top_D - reached_D) ** 2)) + self._missed(mean_R) ** 2

    def _missed(self, mean_R: FloatArray) -> float:
        """Return how far the curve's maximum lies above the best rate, if it was too far off."""
        best_D = mean_R[None].argmax(axis=1)
        curve = self._curve(mean_R[None], best_D)
        if not (curve.is_whole_D & (curve.bend_D < 0))[0]:
            return 0.0
        is_near = curve.top_D == self._chosen(mean_R[None])[1]
        return 0.0 if is_near[0] else float(curve.at(curve.top_D)[0] - mean_R.max())

    def _noise(self) -> float:
        """Return the mean variance of the differences between the best finalist and those beside.

        Rates far from the best, where problems fare otherwise, say nothing of the choice.
        """
        best = _best(self.values_RSP.mean(axis=(1, 2)))
        near_RSP = self.values_RSP[max(0, best - 1) : best + 2]
        if min(near_RSP.shape) == 1:
            return 0.0
        first, second = np.triu_indices(len(near_RSP), k=1)
        noise = noise_of_differences(near_RSP.mean(axis=2), first, second)
        return float(contrasts(near_RSP, first, second, noise).variance_N.mean())

    @property
    def _log_R(self) -> FloatArray:
        return np.log10([self.rates_G[index] for index in self.finalists])

    def _curve(self, mean_DR: FloatArray, best_D: NDArray[np.intp]) -> _Curves:
        """Return the parabola through the best of each row and the finalists beside it."""
        last = len(self.finalists) - 1
        centre_D = np.clip(best_D, min(1, last), max(0, last - 1))
        below_D, above_D = np.maximum(centre_D - 1, 0), np.minimum(centre_D + 1, last)
        index_R, row_D = np.array(self.finalists), np.arange(len(mean_DR))
        is_whole_D = (np.diff(index_R[[below_D, centre_D, above_D]], axis=0) == 1).all(axis=0)
        log_R = self._log_R
        left_D = np.where(is_whole_D, log_R[below_D] - log_R[centre_D], -1.0)
        right_D = np.where(is_whole_D, log_R[above_D] - log_R[centre_D], 1.0)
        y_D = mean_DR[row_D, centre_D]
        to_left_D = (mean_DR[row_D, below_D] - y_D) / left_D
        to_right_D = (mean_DR[row_D, above_D] - y_D) / right_D
        bend_D = (to_right_D - to_left_D) / (right_D - left_D)
        return _Curves(
            is_whole_D, log_R[centre_D], left_D, right_D, y_D, to_left_D - bend_D * left_D, bend_D
        )

    def _chosen(self, mean_DR: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the finalist that is each row's best, and the log10 of its choice."""
        best_D = mean_DR.argmax(axis=1)
        curve = self._curve(mean_DR, best_D)
        has_top_D = curve.is_whole_D & (curve.bend_D < 0)
        log_R, last = self._log_R, len(self.finalists) - 1
        at_D = log_R[best_D]
        lowest_D = at_D - _QUARTER * (at_D - log_R[np.maximum(best_D - 1, 0)])
        highest_D = at_D + _QUARTER * (log_R[np.minimum(best_D + 1, last)] - at_D)
        return best_D, np.where(has_top_D, curve.top_D.clip(lowest_D, highest_D), at_D)

    def _on_curve(
        self, mean_R: FloatArray, near_D: NDArray[np.intp], log_D: FloatArray
    ) -> FloatArray:
        """Return the scores at rates, on the curves of the finalists that they are next to."""
        curve = self._curve(np.broadcast_to(mean_R, (len(near_D), len(mean_R))), near_D)
        return np.where(curve.is_whole_D, curve.at(log_D), mean_R[near_D])


@dataclass(frozen=True, slots=True)
class _Curves:
    """Parabolas y = middle + slope u + bend u^2 over u, the log10 of a rate over the middle one's.

    Each stands between `left` and `right`, the u of the other two rates; one that is not whole has
    no three rates side by side, and says nothing.
    """

    is_whole_D: NDArray[np.bool_]
    middle_log_D: FloatArray
    left_D: FloatArray
    right_D: FloatArray
    middle_D: FloatArray
    slope_D: FloatArray
    bend_D: FloatArray

    @property
    def top_D(self) -> FloatArray:
        """The log10 of the rate of each maximum between its ends, where it bends down."""
        u_D = -self.slope_D / (2 * np.where(self.bend_D < 0, self.bend_D, -1.0))
        return self.middle_log_D + np.clip(u_D, self.left_D, self.right_D)

    def at(self, log_D: FloatArray) -> FloatArray:
        """Return the score at the log10 of a rate on each."""
        u_D = log_D - self.middle_log_D
        return self.middle_D + self.slope_D * u_D + self.bend_D * u_D**2


def _best(mean_R: FloatArray) -> int:
    """Return the index of the highest score, the first of equal ones."""
    return int(mean_R.argmax())
