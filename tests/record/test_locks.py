"""What two processes do to one run, or a watcher to the one that is at it."""

from __future__ import annotations

import fcntl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import pytest

from verirank.config import InputError, TrialConfig, resolve
from verirank.record import BusyError, Run, hold, is_held


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


def test_a_run_that_went_on_while_another_was_to_take_its_place_is_kept(
    tmp_path: Path, trial: TrialConfig
) -> None:
    run = Run.create(tmp_path / "run", trial)
    run.update_manifest(status="stopped")
    with ThreadPoolExecutor(1) as other:
        with run.locked():
            created = other.submit(Run.create, run.folder, trial)
            time.sleep(0.3)  # it has seen the stopped run, and waits for it
            run.update_manifest(status="running")
        with pytest.raises(InputError, match="has just begun a run"):
            created.result()
    assert run.status == "running"


def test_a_lock_that_is_looked_at_can_be_held_all_the_same(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with lock.open("a") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)  # as `is_held` does for a moment
        Timer(0.3, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        with hold(lock, "another process has it"):
            assert is_held(lock)
    assert not is_held(lock)
