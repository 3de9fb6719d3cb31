"""What an interval says to a claim: supported, contradicted, or not resolvable."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._bootstrap import Interval, varied
from verirank.statistics._mean_tests import mean_tests
from verirank.statistics._scores import as_correct, fraction_correct
from verirank.statistics._units import by_groups

_Relation = Literal["above", "below", "within"]
Outcome = Literal["supported", "contradicted", "not_resolvable"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement on an effect, in fractions of 1.

    `above`: the effect is more than the bound ("A beats B by more than 0"). `below`: it is less
    ("A is under the floor"). `within`: it lies between -bound and +bound ("A equals B").
    """

    relation: _Relation
    bound: float

    def __post_init__(self) -> None:
        """Refuse an empty claim.

        Raises:
            ValueError: the relation is none of the three, the bound is not finite, or that of
                `within` is not positive.
        """
        if self.relation not in get_args(_Relation):
            raise ValueError(f"a claim is above, below or within, not {self.relation!r}")
        if not isfinite(self.bound):
            raise ValueError(f"a claim needs a finite bound, not {self.bound}")
        if self.relation == "within" and not self.bound > 0:
            raise ValueError(f"equality needs a margin above 0, not {self.bound}")

    def judge(self, low: float, high: float) -> Outcome:
        """Return what an interval of the effect says: true of all of it, of none, or neither.

        Equality is two one-sided tests (Schuirmann, Journal of Pharmacokinetics and
        Biopharmaceutics 15, 1987). With a 95 % interval each side errs at most 2.5 times in 100.
        """
        if self.relation == "within":
            true, false = (
                -self.bound < low and high < self.bound,
                (low > self.bound or high < -self.bound),
            )
        else:
            above, below = low > self.bound, high < self.bound
            true, false = (above, below) if self.relation == "above" else (below, above)
        return "supported" if true else "contradicted" if false else "not_resolvable"


def judge_runs(
    claim: Claim,
    a_SPK: ArrayLike,
    b_SPK: ArrayLike,
    generator: np.random.Generator,
    groups: Sequence[Hashable] | None = None,
) -> list[tuple[Outcome, Interval]]:
    """Return for each of S runs what its own problems and samples say of a less b.

    Args:
        claim: in fractions of 1.
        a_SPK: whether each sample of the one is right, a missing or failed one being wrong.
        b_SPK: the other's, on the same seeds and problems; it may have another K.
        generator: the source of the resamples, which all runs share.
        groups: the group of each problem, if they come in groups; these then vary (`by_groups`).

    Raises:
        ValueError: an array is not boolean or not S x P x K, seeds or problems differ, or the group
            of a problem is missing.
    """
    a, b = as_correct(a_SPK, ndim=3), as_correct(b_SPK, ndim=3)
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"pairs need the same seeds and problems: {a.shape[:2]} and {b.shape[:2]}")
    values_SG = by_groups(fraction_correct(a) - fraction_correct(b), groups)
    tests = mean_tests(values_SG[:, None], generator)
    rows = zip(tests.mean_N, tests.low_N, tests.high_N, tests.p_N, strict=True)
    intervals = [Interval(*map(float, row), over=varied(seeds=1)) for row in rows]
    return [(claim.judge(one.low, one.high), one) for one in intervals]
