"""What two processes do to one run, or a watcher to the one that is at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from verirank.config import TrialConfig, resolve
from verirank.record import BusyError, Run


@pytest.fixture
def trial() -> TrialConfig:
    return resolve({"method": {"name": "ia3"}})


def test_a_run_that_never_took_a_step_makes_room_unless_another_process_is_at_it(
    tmp_path: Path, trial: TrialConfig
) -> None:
    run = Run.create(tmp_path / "run", trial)
    run.update_manifest(status="stopped")
    (run.folder / "kept").write_text("")
    with run.locked(), pytest.raises(BusyError, match="is being written by another process"):
        Run.create(run.folder, trial)
    assert (run.folder / "kept").is_file()
    Run.create(run.folder, trial)
    assert not (run.folder / "kept").exists()
