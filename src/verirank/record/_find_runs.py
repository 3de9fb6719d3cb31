"""Finds runs in folders, studies and stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from verirank.config import InputError
from verirank.record._integrity import DamagedError
from verirank.record._run import Run
from verirank.record._trial_list import read_trial_list


def find_runs(
    folders: Iterable[Path], on_damaged: Callable[[Path, DamagedError], None] | None = None
) -> list[Run]:
    """Return every run at or anywhere below the folders, in the order of their paths.

    Of a study's folder only the runs that it ranks are returned, wherever its store is.

    Args:
        folders: of runs, of studies, or any that hold some.
        on_damaged: called with a run whose files cannot be read, which is then left out.

    Raises:
        InputError: a folder is missing, or there is no run at all.
        DamagedError: a run's files cannot be read, and there is no `on_damaged`.
    """
    folders = [Path(folder) for folder in folders]
    paths = sorted({run for folder in folders for run in _run_folders(folder)})
    if not paths:
        searched = ", ".join(str(folder) for folder in folders)
        raise InputError(f"no run (a folder with manifest.json) in {searched}; train one first")
    runs = []
    for folder in map(Path, paths):
        try:
            runs.append(Run.open(folder))
        except DamagedError as error:
            if on_damaged is None:
                raise
            on_damaged(folder, error)
    return runs


def _run_folders(folder: Path) -> Iterator[str]:
    """Yield the folders of runs, following links: two folders may lead to one store."""
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} does not exist")
    listed = read_trial_list(folder)
    if listed is None:
        # What a kill left half written is in folders whose names begin with a dot.
        manifests = folder.rglob("manifest.json")
        kept = (file.parent for file in manifests if not file.parent.name.startswith("."))
        yield from map(os.path.realpath, kept)
        return
    listed.expect_store(folder)
    store = os.path.realpath(listed.store)
    runs = [os.path.join(store, entry.id) for entry in listed.entries if entry.role == "ranked"]
    kept = (run for run in runs if os.path.isfile(os.path.join(run, "manifest.json")))
    yield from (os.path.realpath(run) if os.path.islink(run) else run for run in kept)
