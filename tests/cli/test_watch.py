"""What is told of a study where there is no terminal."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from verirank.cli._watch import Watch
from verirank.config import to_toml
from verirank.record import Run, write_file, write_trial_list
from verirank.study import Store, make_study
from verirank.study._definition import DEFINITION
from verirank.study._store import trial_entry


@pytest.fixture
def trials(tmp_path: Path) -> list[Run]:
    """Two trials of a study in OUT, both begun."""
    study = make_study({"name": "told", "preset": "quickstart", "methods": ["ia3", "lora"]})
    store, out = Store(tmp_path / "store"), tmp_path / "out"
    folders = [store.trial(arm) for arm in study.arms()]
    for arm, folder in zip(study.arms(), folders, strict=True):
        store.start(arm, folder)
    write_file(out / DEFINITION, to_toml(study.spelled_out()))
    entries = [trial_entry(a, "ranked", f.name) for a, f in zip(study.arms(), folders, strict=True)]
    write_trial_list(out, store.folder, entries)
    return [Run(folder) for folder in folders]


def look(watch: Watch) -> None:
    while watch.refresh() is None:
        time.sleep(0.01)


@pytest.mark.parametrize("seen_running", [True, False])
def test_a_trial_that_failed_and_is_run_again_is_told_as_done_and_counted_once(
    tmp_path: Path,
    trials: list[Run],
    capsys: pytest.CaptureFixture[str],
    seen_running: bool,
) -> None:
    again, other = trials
    again.update_manifest(status="failed", error="no memory")
    with Watch(tmp_path / "out") as watch:
        look(watch)
        look(watch)
        if seen_running:
            with again.locked():
                again.update_manifest(status="running", error=None)
                look(watch)
        again.update_manifest(status="done", error=None)
        look(watch)
        other.update_manifest(status="done")
    assert capsys.readouterr().out.splitlines() == [
        f"[1/2] {again.folder.name}: failed (no memory)",
        *([f"{again.folder.name}: running"] if seen_running else []),
        f"[1/2] {again.folder.name}: done",
        f"[2/2] {other.folder.name}: done",
    ]
