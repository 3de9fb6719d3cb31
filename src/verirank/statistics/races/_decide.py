"""Seeds where the question is still open: group-sequential looks at all arms of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from verirank.statistics._noise import EQUALITY_MARGIN
from verirank.statistics._scores import FloatArray, as_finite
from verirank.statistics._search_noise import UNSEARCHED, SearchNoise
from verirank.statistics.races._levels import joint_levels
from verirank.statistics.races._pairs import RacePairs

_HARDLY = 0.04
"""An arm whose chance to be told from the leader by the last look is smaller gets no more seeds."""


@dataclass(frozen=True, slots=True)
class RaceDesign:
    """When a race compares its arms, and the error that each look may spend.

    Attributes:
        looks: the numbers of seeds after which arms are compared.
        spent: the chance of a wrong statement at each look; their sum is that of the race.
        margin: arms that differ by less count as equal, a fraction of 1.
    """

    looks: tuple[int, ...] = (3, 5, 8, 12)
    spent: tuple[float, ...] = (0.0125, 0.0125, 0.0125, 0.0125)
    margin: float = EQUALITY_MARGIN

    def __post_init__(self) -> None:
        """Refuse a design that spends nothing or looks backwards.

        Raises:
            ValueError: looks do not rise from 2 on, or each has no error of its own, or the margin
                is not inside (0, 1).
        """
        rising = list(self.looks) == sorted(set(self.looks)) and min(self.looks, default=0) > 1
        spending = len(self.spent) == len(self.looks) and all(0 < a < 1 for a in self.spent)
        if not rising or not spending or not 0 < self.margin < 1 or sum(self.spent) >= 1:
            raise ValueError(
                "a race needs rising looks from 2 seeds on, an error each and a margin between 0 "
                "and 1"
            )


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the arms in the race said.

    Attributes:
        seeds: the number of seeds of the arms that were compared.
        error: what the look may spend.
        leader: the arm of the highest mean among these.
        means: of each of these arms, a fraction of 1.
        p_behind: of each of these, the smallest one-sided p-value against being as good as another.
        p_behind_limit: an arm with at most that is behind; for the arms that were left.
        behind: the arms that this look told to be behind.
        equal: the arms that are equal to the leader within the margin after this look.
        idle: unresolved arms that get no more seeds, for these would hardly tell them apart.
        going_on: the arms that are trained until the next look; empty at the end.
    """

    seeds: int
    error: float
    leader: str
    means: dict[str, float]
    p_behind: dict[str, float]
    p_behind_limit: float
    behind: tuple[str, ...]
    equal: tuple[str, ...]
    idle: tuple[str, ...]
    going_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RaceDecision:
    """What a race says so far.

    Attributes:
        seeds: the number of seeds that the arms in `going_on` need for the next look; 0 at the end.
        going_on: the arms that are still to be trained; empty at the end.
        leader: the arm of the highest mean at the last look; None before the first.
        behind: arms that are surely worse than the best, each with the seeds that told so.
        equal: arms that equal the leader within the margin, likewise.
        open: all other arms but the leader, likewise with the seeds that they have so far.
        looks: each look, the first one first.
    """

    seeds: int
    going_on: tuple[str, ...]
    leader: str | None
    behind: dict[str, int]
    equal: dict[str, int]
    open: dict[str, int]
    looks: tuple[Look, ...]


def decide(
    scores: Mapping[str, ArrayLike], design: RaceDesign, search: SearchNoise = UNSEARCHED
) -> RaceDecision:
    """Return which arms of a race go on, given every score so far.

    The function holds no state: it replays every look on the first seeds of every arm, so equal
    scores give equal decisions after a restart, and a finished study with a fixed number of seeds
    can go on as a race. Call it whenever trials have ended: it asks for the next look's seeds until
    all arms in the race have them. A budget ends a race early: what it leaves open stays open.

    Every look spends a part of the error that is set in advance. Within a look,

    - an arm is behind where a one-sided t-test against another finds it worse. Each arm found
      behind lowers the number of comparisons for the others, as in Holm's steps (Scandinavian
      Journal of Statistics 6, 1979); with u arms left, the level of a test is that of the range of
      u equal arms over all looks (`joint_levels`), about 1.4 times Bonferroni's;
    - an arm is near the best where it is, at the same level, less than the margin worse than each
      of the others that are not behind. It equals the leader where both are near the best: then
      they are less than the margin apart, which takes one test in each direction (Schuirmann, 1987;
      against the best: Hsu, Annals of Statistics 12, 1984). A new leader is compared anew: an arm
      goes back into the race where that one is not near the best;
    - an arm idles where the chance is below 4 % that the last look will tell it from the leader
      (predictive power with a flat prior: Spiegelhalter, Freedman and Blackburn, Controlled
      Clinical Trials 7, 1986). It takes part again when that changes.

    Where several arms are the best, all of them are among the u until the first wrong statement
    about them, so the range of u bounds its chance. That a worse arm shows a best one to be
    behind is less likely still in every simulation, but not covered by this argument. With a
    single problem nothing is told, and all arms stay open.

    Args:
        scores: of each arm, a value a seed and problem, S x P. Seeds stand in the same order for
            all arms, problems too; arms may have different numbers of seeds, or none yet. A failed
            run stands there with the scores that the study gives it.
        design: looks, error and margin.
        search: what the searches of learning rates add to the noise, whatever the number of seeds.

    Raises:
        ValueError: no arm, an array is not S x P, a value is not finite, or problems differ.
    """
    values = {arm: _finite(one) for arm, one in scores.items()}
    if not values or len({one.shape[1] for one in values.values() if len(one)}) > 1:
        raise ValueError("a race needs an arm at least, and the same problems for all arms")
    race = _Race(values, design, search)
    for index, look in enumerate(design.looks):
        if any(len(values[arm]) < look for arm in race.racing):
            return race.decision(look)
        race.look(index)
        if not race.racing:
            break
    return race.decision(0)


def _finite(values: ArrayLike) -> FloatArray:
    """Return values S x P, or raise ValueError; an arm without a seed has none."""
    array = np.asarray(values)
    return np.zeros((0, 0)) if array.shape[:1] == (0,) else as_finite(values, ndim=2)


@dataclass
class _Race:
    """A race while it is replayed."""

    values: dict[str, FloatArray]
    design: RaceDesign
    search: SearchNoise
    levels_UL: FloatArray = field(init=False)
    racing: list[str] = field(init=False)
    seeds: dict[str, int] = field(init=False)
    near: set[str] = field(default_factory=set, init=False)
    behind: dict[str, int] = field(default_factory=dict, init=False)
    equal: dict[str, int] = field(default_factory=dict, init=False)
    looks: list[Look] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.levels_UL = joint_levels(
            max(2, len(self.values)), self.design.looks, self.design.spent
        )
        self.racing = list(self.values)
        self.seeds = dict.fromkeys(self.values, 0)

    @property
    def unresolved(self) -> list[str]:
        return [arm for arm in self.values if arm not in self.behind]

    def level(self, index: int, left: int) -> float:
        """Return the level of one test of a look, given how many arms are not behind yet."""
        return float(self.levels_UL[left, index])

    def look(self, index: int) -> None:
        """Compare the arms in the race, and say which of them go on."""
        look, error = self.design.looks[index], self.design.spent[index]
        self.seeds |= dict.fromkeys(self.racing, look)
        compared = self.racing
        means = {arm: float(self.values[arm][:look].mean()) for arm in compared}
        leader = max(compared, key=lambda arm: means[arm])
        pairs = RacePairs({a: one[: self.seeds[a]] for a, one in self.values.items()}, self.search)
        p_behind = {arm: pairs.p_behind(arm, compared) for arm in compared}
        lost = self._step_down(p_behind, index)
        self.behind |= dict.fromkeys(lost, look)
        self._compare_with_best(pairs, leader, self.level(index, len(self.unresolved)))
        idle = self._idle(pairs, leader)
        is_over = look == self.design.looks[-1]
        out = {*self.behind, *self.equal, *idle}
        going_on = [] if is_over else [arm for arm in self.values if arm not in out]
        self.racing = going_on if going_on != [leader] else []
        self.looks.append(
            Look(
                seeds=look,
                error=error,
                leader=leader,
                means=means,
                p_behind=p_behind,
                p_behind_limit=self.level(index, len(self.unresolved)),
                behind=tuple(lost),
                equal=tuple(self.equal),
                idle=() if is_over else tuple(idle),
                going_on=tuple(self.racing),
            )
        )

    def _step_down(self, p_behind: Mapping[str, float], index: int) -> list[str]:
        """Return the arms that are behind, found one by one."""
        lost: list[str] = []
        for arm in sorted(p_behind, key=lambda arm: p_behind[arm]):
            if not p_behind[arm] <= self.level(index, len(self.unresolved) - len(lost)):
                break
            lost.append(arm)
        return lost

    def _compare_with_best(self, pairs: RacePairs, leader: str, level: float) -> None:
        """Find the arms near the best, and with that those which equal the leader."""
        left = self.unresolved
        margin = self.design.margin
        self.near |= {arm for arm in left if pairs.p_far(arm, left, margin) <= level}
        alike = self.near - {leader, *self.behind} if leader in self.near else set()
        self.equal = {arm: self.seeds[arm] for arm in self.values if arm in alike}

    def _idle(self, pairs: RacePairs, leader: str) -> list[str]:
        """Return the unresolved arms that the last look would hardly tell from the leader."""
        last, level = self.design.looks[-1], self.level(-1, len(self.unresolved))
        others = [arm for arm in self.unresolved if arm != leader and arm not in self.equal]
        chances = {
            arm: pairs.chance(leader, arm, last, level, self.design.margin) for arm in others
        }
        return [arm for arm in others if chances[arm] < _HARDLY]

    def decision(self, seeds: int) -> RaceDecision:
        """Return what the race says, and asks for."""
        leader = self.looks[-1].leader if self.looks else None
        resolved = {leader, *self.behind, *self.equal}
        return RaceDecision(
            seeds=seeds,
            going_on=tuple(self.racing) if seeds else (),
            leader=leader,
            behind=dict(self.behind),
            equal=dict(self.equal),
            open={arm: self.seeds[arm] for arm in self.values if arm not in resolved},
            looks=tuple(self.looks),
        )
