"""A study that was begun, for what commands say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from verirank.config import to_toml
from verirank.record import Run, write_file, write_trial_list
from verirank.study import Store, make_study
from verirank.trial import trial_entry


@pytest.fixture
def begun_trials(tmp_path: Path) -> list[Run]:
    """Two trials of a study in tmp_path/out, of which none has taken a step."""
    study = make_study({"name": "told", "preset": "quickstart", "methods": ["ia3", "lora"]})
    store, out = Store(tmp_path / "store"), tmp_path / "out"
    trials = [arm.trial(0) for arm in study.arms()]
    folders = [store.trial(trial) for trial in trials]
    for trial, folder in zip(trials, folders, strict=True):
        store.start(trial, folder)
    write_file(out / "study.toml", to_toml(study.spelled_out()))
    entries = [trial_entry(t, "ranked", f.name) for t, f in zip(trials, folders, strict=True)]
    write_trial_list(out, store.folder, entries)
    return [Run(folder) for folder in folders]
