"""The learning-rate searches of fair studies: the score of each trial, and notes on the search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from verirank.ranking._formats import listed
from verirank.ranking.arms import ArmRuns
from verirank.record import read_search
from verirank.statistics import SearchNoise


@dataclass(frozen=True, slots=True)
class Searches:
    """The searches of fair studies: one row per rate and rung, and notes on the searches.

    `edge` is a sentence that names the methods whose best rate is the lowest or highest searched;
    it is empty if there are none.
    """

    rows: list[dict[str, Any]]
    notes: list[str]
    edge: str = ""


def search_noise(arms: Iterable[ArmRuns], folders: Iterable[Path]) -> SearchNoise:
    """Return what the searches of fair studies add to the noise of the arms' means.

    It is estimated on the search's own bench: a point there is taken for a point on the benches
    that are ranked.

    Args:
        arms: the arms of a leaderboard.
        folders: the folders of their studies, which hold the searches.
    """
    searched = {arm["ranked"]: arm for folder in folders for arm in _searched(folder)}
    own: dict[str, float | None] = {}
    degrees = 1
    for arm in arms:
        for name in {run.folder.name for run in arm.runs} & searched.keys():
            search = searched[name]
            own[arm.label] = search.get("variance")
            degrees = max(1, len({trial.get("seed") for trial in search["trials"]}) - 1)
    return SearchNoise.pooled(own, degrees)


def _searched(folder: Path) -> list[dict[str, Any]]:
    search = read_search(folder)
    return [arm for arm in search["arms"] if arm.get("ranked")] if search else []


def read_searches(folders: Iterable[Path]) -> Searches:
    """Read every study's search.json."""
    rows, notes, edges = [], [], []
    for folder in folders:
        if search := read_search(Path(folder)):
            rows += [row for arm in search["arms"] for row in _rows(arm)]
            notes += _notes(search)
            edges += [arm["method"] for arm in search["arms"] if arm["at_edge"]]
    edge = _edge(list(dict.fromkeys(edges)))
    return Searches(rows, [*notes, edge] if edge else notes, edge)


def _edge(methods: list[str]) -> str:
    if not methods:
        return ""
    return (
        f"The best learning rate of {listed(methods)} is at the edge of the searched range: a "
        "better one may lie outside it."
    )


def _rows(arm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row a rate and rung, with the mean score over the search's seeds that reached it."""
    by_rate: dict[float, list[dict[str, Any]]] = defaultdict(list)
    for trial in arm["trials"]:
        by_rate[trial["learning_rate"]].append(trial)
    for rate, trials in by_rate.items():
        for steps in sorted({int(at) for trial in trials for at in trial["scores"]}):
            scores = [t["scores"][str(steps)] for t in trials if str(steps) in t["scores"]]
            yield {
                "method": arm["method"],
                "learning_rate": rate,
                "steps": steps,
                "score": round(100 * fmean(scores), 4),
                "seeds": len(scores),
                "winner": rate == arm.get("best_trained", arm["winner"]),
                "pruned_at": next((t["pruned_at"] for t in trials if t["pruned_at"]), None),
            }


def _notes(search: dict[str, Any]) -> list[str]:
    arms = search["arms"]
    steps = sorted({arm["steps"] for arm in arms})
    trials = [trial for arm in arms for trial in arm["trials"]]
    pruned = sum(trial["pruned_at"] is not None for trial in trials)
    spent = f"{steps[0]}" if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
    notes = [
        search["rule"],
        f"{pruned} of {len(trials)} trials were pruned; {spent} steps a method.",
    ]
    notes += [f"{arm['method']}: {arm['failure']}." for arm in arms if arm.get("failure")]
    failed = [
        f"{a['method']} at {t['learning_rate']:g}" for a in arms for t in a["trials"] if t["error"]
    ]
    if failed:
        notes.append(f"Failed: {listed(list(dict.fromkeys(failed)))}.")
    return notes
