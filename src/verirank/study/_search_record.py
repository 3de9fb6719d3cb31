"""A study's search on disk: search.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from verirank.record import Run, read_search, write_json


def search_arms(out: Path) -> list[dict[str, Any]]:
    """Return the arms in a study's search.json; none before the file exists."""
    search = read_search(out)
    return search["arms"] if search else []


def pruned_trials(out: Path) -> frozenset[str]:
    """Return the folder names of the trials that a study's search has pruned."""
    trials = [trial for arm in search_arms(out) for trial in arm["trials"]]
    return frozenset(trial["folder"] for trial in trials if trial["pruned_at"])


def search_end(
    run: Run, steps: int, pruned: frozenset[str]
) -> Literal["searched", "pruned"] | None:
    """Return whether a search's trial reached its last step or was pruned; None if neither."""
    if str(steps) in run.selection:
        return "searched"
    return "pruned" if run.folder.name in pruned else None


def write_search(out: Path, content: dict[str, Any], *, is_final: bool) -> None:
    """Write search.json, unless it holds the same or a final one would be replaced by a part.

    A resumed study decides everything again, during which a finished search stays as it is.
    """
    before = search_arms(out)
    was_final = any(arm["winner"] is not None or arm["failure"] for arm in before)
    if before != content["arms"] and (is_final or not was_final):
        write_json(out / "search.json", content)
