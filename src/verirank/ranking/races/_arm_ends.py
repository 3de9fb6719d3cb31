"""The races of studies: how each arm ended, after how many seeds, and what that cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verirank.ranking._formats import listed, percent
from verirank.record import duration, read_race

_ENDS = {
    "leader": "leader",
    "equal": "equal to the leader",
    "racing": "still in the race",
    "budget": "in the race when the budget was used up",
    "open": "not told from the leader",
    "behind": "behind",
    "unmeasured": "out: a trial measures nothing",
}
"""In the order in which arms are shown."""


@dataclass(frozen=True, slots=True)
class RaceArm:
    """How an arm of a race ended, in words, and its cost.

    `seeds` counts the seeds that it was compared with, `failed` those of them that failed by their
    own fault, and `seconds` is the time of all of them. `mean` is the score after these seeds.
    """

    label: str
    method: str
    end: str
    seeds: int
    failed: int
    mean: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Race:
    """A race: its rule, its result in a sentence, and its arms, the leader first."""

    rule: str
    result: str
    arms: tuple[RaceArm, ...]


def read_races(folders: Iterable[Path]) -> list[Race]:
    """Read every study's race.json."""
    races = (read_race(Path(folder)) for folder in folders)
    return [_race(race) for race in races if race]


def _race(race: dict[str, Any]) -> Race:
    methods = Counter(arm["method"] for arm in race["arms"])
    order = list(_ENDS)
    arms = sorted(race["arms"], key=lambda a: (order.index(a["end"]), -(a["mean"] or 0.0)))
    rows = tuple(
        RaceArm(
            label=arm["method"] if methods[arm["method"]] == 1 else arm["id"],
            method=arm["method"],
            end=_end(arm["end"], race["margin"]),
            seeds=arm["seeds"],
            failed=arm["failed"],
            mean=arm["mean"],
            seconds=3600 * arm["hours"],
        )
        for arm in arms
    )
    return Race(race["rule"], _result(race, rows), rows)


def _end(end: str, margin: float) -> str:
    within = f" within {100 * margin:g} points" if end == "equal" else ""
    return _ENDS[end] + within


def _result(race: dict[str, Any], rows: tuple[RaceArm, ...]) -> str:
    """Return which arms ended how, and the trials and time that it took, in a sentence."""
    groups: dict[str, list[str]] = {}
    for arm in rows:
        groups.setdefault(arm.end, []).append(f"{arm.label} ({arm.seeds})")
    ends = "; ".join(f"{end}: {listed(names)}" for end, names in groups.items())
    trials = sum(arm.seeds for arm in rows)
    cost = f"{trials} of {race['most_trials']} trials ({percent(trials / race['most_trials'])} %)"
    stands = "The race" if race["is_over"] else "The race so far"
    time = duration(sum(arm.seconds for arm in rows))
    return f"{stands}, with seeds in brackets: {ends}. It took {cost}, {time} of trials."
