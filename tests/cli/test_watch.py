"""What is told of a study where there is no terminal."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from verirank.cli._watch import Watch
from verirank.record import Run


def look(watch: Watch) -> None:
    while watch.refresh() is None:
        time.sleep(0.01)


@pytest.mark.parametrize("seen_running", [True, False])
def test_a_trial_that_failed_and_is_run_again_is_told_as_done_and_counted_once(
    tmp_path: Path,
    begun_trials: list[Run],
    capsys: pytest.CaptureFixture[str],
    seen_running: bool,
) -> None:
    again, other = begun_trials
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
