"""A study's own files: the list of its trials with the role of each, and its search."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

from verirank.config import InputError
from verirank.record._files import read_json, write_json
from verirank.record._integrity import DamagedError

Role = Literal["search", "ranked", "defective", "rescored", "control"]
RACE = "race.json"
_NAME = "trials.json"


@dataclass(frozen=True, slots=True)
class TrialEntry:
    """A trial's part in a study; `id` is the path of its folder below the store.

    `defective` and `rescored` trials have a defect on purpose and are never ranked: `defect` names
    it and `fair` the ranked trial without it, whose training a rescored one reuses. A `control` is
    none either: `defect` names the control, `fair` the ranked trial that it is held against.
    """

    id: str
    role: Role
    method: str
    seed: int
    learning_rate: float
    steps: int
    defect: str | None = None
    fair: str | None = None


@dataclass(frozen=True, slots=True)
class TrialList:
    """The trials of a study, and the store, which other studies may use, too."""

    store: Path
    entries: tuple[TrialEntry, ...]

    def folder(self, entry: TrialEntry) -> Path:
        """Return the folder of a trial's run, which need not exist yet."""
        return self.store / entry.id

    def expect_store(self, out: Path) -> None:
        """Refuse to take trials for untrained whose store is gone.

        Raises:
            InputError: the store of the study in `out` is not there.
        """
        if not self.store.is_dir():
            raise InputError(
                f"the trials of the study in {out} are in {self.store}, which is not there; bring "
                "it back, or choose another --out to train them again"
            )


def write_trial_list(out: Path, store: Path, entries: Sequence[TrialEntry]) -> None:
    """Write OUT/trials.json; the store's path is kept relative, so that both can be moved."""
    relative = os.path.relpath(store.resolve(), out.resolve())
    write_json(out / _NAME, {"store": relative, "trials": [asdict(entry) for entry in entries]})


def read_trial_list(out: Path) -> TrialList | None:
    """Return the trials of the study in a folder, or None where none is listed.

    Raises:
        DamagedError: the list has another form, or a trial's folder lies outside the store.
    """
    path = out / _NAME
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        store = Path(os.path.normpath(out / content["store"]))
        entries = tuple(TrialEntry(**entry) for entry in content["trials"])
        outside = [entry.id for entry in entries if not _is_below(entry.id)]
    except KeyError as error:
        raise DamagedError(f"{path} is no list of trials: it lacks {error}") from None
    except TypeError:
        raise DamagedError(f"{path} is no list of trials: an entry has another form") from None
    if outside:
        raise DamagedError(f"{path} lists trials outside the store: {', '.join(outside[:5])}")
    return TrialList(store, entries)


def _is_below(name: str) -> bool:
    """Return whether a path stays below the folder that it is taken from."""
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts


def read_search(study: Path) -> dict[str, Any] | None:
    """Return a study's search.json ({rule, bench, arms}); None where it has no search."""
    path = study / "search.json"
    return read_json(path) if path.is_file() else None


def read_race(study: Path) -> dict[str, Any] | None:
    """Return a study's race.json ({rule, arms, decisions, ...}); None where it is no race."""
    path = study / RACE
    return read_json(path) if path.is_file() else None
