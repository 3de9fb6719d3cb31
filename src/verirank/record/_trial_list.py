"""The list of a study's trials: which runs belong to it, and to which part of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from verirank.config import InputError
from verirank.record._files import read_json, write_json

Role = Literal["search", "ranked", "defective", "rescored"]
_NAME = "trials.json"


@dataclass(frozen=True, slots=True)
class TrialEntry:
    """A trial's part in a study; `id` is the path of its folder below the store.

    `defective` and `rescored` trials have a defect on purpose and are never ranked: `defect` names
    it and `fair` the ranked trial without it, whose training a rescored one shares.
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
    """The trials of a study, and the store, which other studies may share."""

    store: Path
    entries: tuple[TrialEntry, ...]

    def folder(self, entry: TrialEntry) -> Path:
        """Return where a trial's run lies, or will."""
        return self.store / entry.id

    def expect_store(self, out: Path) -> None:
        """Refuse to take trials for untrained whose store is gone.

        Raises:
            InputError: the store of the study in `out` is not there.
        """
        if not self.store.is_dir():
            raise InputError(
                f"the trials of the study in {out} lie in {self.store}, which is not there; bring "
                "it back, or choose another --out to train them again"
            )


def write_trial_list(out: Path, store: Path, entries: Sequence[TrialEntry]) -> None:
    """Write OUT/trials.json; the store's path is kept relative, so that both can be moved."""
    relative = os.path.relpath(store.resolve(), out.resolve())
    write_json(out / _NAME, {"store": relative, "trials": [asdict(entry) for entry in entries]})


def read_trial_list(out: Path) -> TrialList | None:
    """Return the trials of the study in a folder, or None where none is listed."""
    path = out / _NAME
    if not path.is_file():
        return None
    content = read_json(path)
    store = Path(os.path.normpath(out / content["store"]))
    return TrialList(store, tuple(TrialEntry(**entry) for entry in content["trials"]))
