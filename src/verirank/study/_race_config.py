"""The settings of a race, and what its budget allows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from verirank.config import Section
from verirank.statistics import EQUALITY_MARGIN, RaceDesign

_BUDGET = re.compile(r"(\d+(?:\.\d+)?) (trials|gpu-hours|core-hours)")


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a race may use.

    Hours are those that its trials take, one after the other, on whatever they run.
    """

    amount: float
    unit: Literal["trials", "gpu-hours", "core-hours"]

    def allows(self, trials: int, hours: float) -> bool:
        """Return whether so many ranked trials that take so many hours are within the budget."""
        return (trials if self.unit == "trials" else hours) <= self.amount


class RaceConfig(Section):
    """When the race protocol compares its arms, and when it stops.

    `looks` are numbers of seeds. Arms that differ by less than `margin`, a fraction of 1, count as
    equal. `error` is the chance of any wrong statement, spent in equal parts on the looks.
    `budget`, such as "200 gpu-hours", "40 core-hours" or "60 trials", bounds the ranked trials; no
    look begins that would exceed it, but the first one is always taken. With `search`, each arm's
    learning rate is searched first, as the fair protocol does.
    """

    looks: tuple[int, ...] = (3, 5, 8, 12)
    margin: float = Field(default=EQUALITY_MARGIN, gt=0, lt=1)
    error: float = Field(default=0.05, gt=0, lt=1)
    budget: str = ""
    search: bool = True

    @model_validator(mode="after")
    def _check(self) -> RaceConfig:
        if self.budget and not _BUDGET.fullmatch(self.budget):
            raise ValueError(
                f"budget {self.budget!r} is none of the form '200 gpu-hours', '40 core-hours' or "
                "'60 trials'"
            )
        if list(self.looks) != sorted(set(self.looks)) or min(self.looks, default=0) < 2:
            raise ValueError(f"looks must be rising numbers of seeds from 2 on, not {self.looks}")
        return self

    def expect(self, seeds: Sequence[int], *, has_others: bool) -> None:
        """Refuse what a race cannot be run with.

        Raises:
            ValueError: the last look needs more seeds, or there are defects or controls.
        """
        if len(seeds) < self.looks[-1]:
            raise ValueError(
                f"a race with a last look after {self.looks[-1]} seeds needs as many seeds, not "
                f"{len(seeds)}; name them, or leave seeds out"
            )
        if has_others:
            raise ValueError(
                "a race trains unequal numbers of seeds; measure defects and controls with "
                "protocol = 'single' or 'fair'"
            )

    @property
    def design(self) -> RaceDesign:
        """The looks with the error of each, and the margin."""
        each = self.error / len(self.looks)
        return RaceDesign(self.looks, (each,) * len(self.looks), self.margin)

    @property
    def limit(self) -> Budget | None:
        """The budget; None where there is none."""
        match = _BUDGET.fullmatch(self.budget)
        if match is None:
            return None
        return Budget(float(match[1]), match[2])  # type: ignore[arg-type]


def with_seeds(settings: Any) -> Any:
    """Return a study's settings, those of a race that names no seeds with 0, 1, 2 and so on.

    What is wrong with them is told where they are checked.
    """
    if not isinstance(settings, dict) or settings.get("protocol") != "race" or "seeds" in settings:
        return settings
    race = settings.get("race", {})
    looks = race.get("looks", RaceConfig().looks) if isinstance(race, dict) else ()
    is_whole = isinstance(looks, list | tuple) and all(isinstance(one, int) for one in looks)
    return settings | {"seeds": list(range(max(looks)))} if looks and is_whole else settings
