"""What it takes to get one trained model out of an arm: its search, a training, an evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from verirank.record import Run, read_json, read_trial_list, step_seconds
from verirank.report._arms import Arm


@dataclass(frozen=True, slots=True)
class Search:
    """How an arm's learning rate was found: whether at the edge of the search, in which time."""

    at_edge: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Spending:
    """Seconds of an arm's search, None where its rate was set, and of a run of one seed."""

    search: Search | None
    train: float
    evaluate: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return (self.search.seconds if self.search else 0.0) + self.train + self.evaluate


def spending(arms: Iterable[Arm], folders: Iterable[Path]) -> dict[str, Spending]:
    """Return by label what each arm took; searches are those of the studies in some folders."""
    searches = _searches(folders)
    return {arm.label: _of(arm, searches) for arm in arms}


_Searches = dict[str, Search]
"""By the folder's name of the first run that was trained at the winning rate."""


def _of(arm: Arm, searches: _Searches) -> Spending:
    manifests, names = arm.manifests, [run.folder.name for run in arm.runs]
    return Spending(
        search=next((searches[name] for name in names if name in searches), None),
        train=fmean(manifest["seconds"] for manifest in manifests),
        evaluate=fmean(manifest.get("seconds_evaluate", 0.0) for manifest in manifests),
    )


def _searches(folders: Iterable[Path]) -> _Searches:
    found: _Searches = {}
    for folder in folders:
        path, listed = folder / "search.json", read_trial_list(folder)
        if path.is_file() and listed:
            for arm in read_json(path)["arms"]:
                if arm["ranked"] is not None:
                    place = listed.store / "search"
                    seconds = sum(_seconds(place / trial["folder"]) for trial in arm["trials"])
                    found[arm["ranked"]] = Search(arm["at_edge"], seconds)
    return found


def _seconds(folder: Path) -> float:
    """Return how long a search's trial trained and was scored, as far as its record tells.

    Raises:
        InputError: the trial is not there.
    """
    run = Run.open(folder)
    trained = sum(step_seconds(line) for line in run.metrics())
    return trained + run.manifest.get("seconds_evaluate", 0.0)
