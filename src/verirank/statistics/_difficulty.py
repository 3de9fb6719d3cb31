"""How a bench's problems differ in difficulty: the distribution that plans and simulations use."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

# Beta(a, b) with a + b = 1.21 and mean 0.30 gives the noise that was measured on 30 AIME-like
# problems between two equal models: 8.8, 3.1, 2.2, 1.5 and 1.1 points at k = 1, 8, 16, 32 and 64.
# The same a + b gives 0.86 points on MATH-500 at k = 4 and mean 0.83, where "below 1" was measured.
AIME_LIKE_CONCENTRATION = 1.21
_NEAREST = 1e-9
"""To 0 and 1."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """Problems whose chances of a right sample are Beta(mean c, (1 - mean) c) distributed.

    Low concentrations c are benches of problems that are mostly hopeless or certain, high ones of
    problems that are all alike.
    """

    mean: float
    concentration: float = AIME_LIKE_CONCENTRATION

    def __post_init__(self) -> None:
        """Refuse what is no distribution.

        Raises:
            ValueError: the mean is not inside (0, 1), or so near to its ends that the problems are
                all alike in floating-point numbers, or the concentration is not positive and
                finite.
        """
        is_inside = _NEAREST <= self.mean <= 1 - _NEAREST
        if not is_inside or not 0 < self.concentration < inf:
            raise ValueError(
                f"a difficulty needs a mean in (0, 1) and a positive concentration, not {self}"
            )

    @property
    def shapes(self) -> tuple[float, float]:
        """The two shape parameters of the beta distribution."""
        return self.mean * self.concentration, (1 - self.mean) * self.concentration

    @property
    def spread(self) -> float:
        """The SD of the problems' chances: sqrt(mean (1 - mean) / (c + 1))."""
        return (self.mean * (1 - self.mean) / (self.concentration + 1)) ** 0.5

    @property
    def sample_variance(self) -> float:
        """E[p (1 - p)], the variance of one sample's correctness on one problem."""
        return self.mean * (1 - self.mean) - self.spread**2

    @property
    def leverage_variance(self) -> float:
        """The variance over problems of h(p) = p (1 - p) / E[p (1 - p)], whose mean is 1.

        To first order a model that is better by d on average is better by d h(p) on a problem of
        chance p: the same shift in log-odds everywhere, so a hopeless or a certain problem stays
        so. The fourth moment is E[p^2 (1-p)^2] = a(a+1) b(b+1) / (c(c+1)(c+2)(c+3)).
        """
        a, b = self.shapes
        c = self.concentration
        fourth = a * (a + 1) * b * (b + 1) / (c * (c + 1) * (c + 2) * (c + 3))
        return fourth / self.sample_variance**2 - 1
