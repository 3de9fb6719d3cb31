"""The time that one trained model of an arm costs: search, training and evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from verirank.ranking.arms import ArmRuns
from verirank.record import Run, read_search, read_trial_list, step_seconds, total_wait


@dataclass(frozen=True, slots=True)
class SearchCost:
    """The seconds of an arm's learning-rate search, and whether the best rate lies at its edge."""

    at_edge: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ArmCost:
    """An arm's search, None if its learning rate was fixed, and the mean seconds of one run.

    `waited` is the fraction of the seconds of training for which its runs waited for a core that
    other work had; None where a run does not record it.
    """

    search: SearchCost | None
    train: float
    evaluate: float
    waited: float | None

    @property
    def seconds(self) -> float:
        """The total time."""
        return (self.search.seconds if self.search else 0.0) + self.train + self.evaluate


def arm_costs(arms: Iterable[ArmRuns], folders: Iterable[Path]) -> dict[str, ArmCost]:
    """Return each arm's cost by its label.

    Args:
        arms: the arms of a leaderboard.
        folders: the folders of their studies, which hold the searches.
    """
    searches = _search_costs(folders)
    return {arm.label: _arm_cost(arm, searches) for arm in arms}


_SearchCosts = dict[str, SearchCost]
"""By the folder name of the first run that was trained at the winning rate."""


def _arm_cost(arm: ArmRuns, searches: _SearchCosts) -> ArmCost:
    names = [run.folder.name for run in arm.runs]
    return ArmCost(
        search=next((searches[name] for name in names if name in searches), None),
        train=fmean(manifest["seconds"] for manifest in arm.manifests),
        evaluate=fmean(manifest.get("seconds_evaluate", 0.0) for manifest in arm.manifests),
        waited=waited_fraction(arm),
    )


def waited_fraction(arm: ArmRuns) -> float | None:
    """Return for what fraction of their training an arm's runs waited for a core; None: unknown."""
    waited = total_wait(arm.manifests)
    seconds = sum(manifest["seconds"] for manifest in arm.manifests)
    return None if waited is None or not seconds else waited / seconds


def _search_costs(folders: Iterable[Path]) -> _SearchCosts:
    costs: _SearchCosts = {}
    for folder in folders:
        search, trials = read_search(folder), read_trial_list(folder)
        if search and trials:
            for arm in search["arms"]:
                if arm["ranked"] is not None:
                    store = trials.store / "search"
                    seconds = sum(_seconds(store / trial["folder"]) for trial in arm["trials"])
                    costs[arm["ranked"]] = SearchCost(arm["at_edge"], seconds)
    return costs


def _seconds(folder: Path) -> float:
    """Return the seconds of training and scoring that a trial of a search recorded.

    Raises:
        InputError: the folder holds no run.
    """
    run = Run.open(folder)
    trained = run.start_seconds + sum(step_seconds(line) for line in run.metrics())
    return trained + run.manifest.get("seconds_evaluate", 0.0)
