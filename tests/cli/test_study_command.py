"""What `verirank study run` and `resume` say, and leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import verirank
from verirank.record import Run

RESUME = "is run again with: verirank study resume"


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_failed_study_names_what_runs_its_trials_again(
    tmp_path: Path, begun_trials: list[Run], lost: int
) -> None:
    """Those that are lost have a damaged configuration; the others diverged."""
    for run in begun_trials[:lost]:
        (run.folder / "trial.toml").write_text("{")
    for run in begun_trials[lost:]:
        run.update_manifest(status="failed", error="diverged")
    done = verirank("study", "resume", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.count("failed: ") == 2
    machine = f"what failed by the machine's fault {RESUME} {tmp_path / 'out'}\n"
    own = f"what failed by its own fault {RESUME} {tmp_path / 'out'} --retry-failed\n"
    assert (machine in done.stderr) == (lost > 0)
    assert (own in done.stderr) == (lost < 2)
