"""A run that a scheduler ends is left as one that Ctrl-C ends."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from command_line import start
from verirank import trial
from verirank.cli import main
from verirank.config import TrialConfig
from verirank.record import Run

BEFORE, WHILE = "conformance", "metrics.jsonl"


def has_come_to(run: Path, place: str) -> bool:
    """Return whether a run exists, or has taken a step."""
    return (run / ("manifest.json" if place == BEFORE else place)).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("place", [BEFORE, WHILE])
def test_sigterm_stops_a_run_before_and_while_it_trains(tmp_path: Path, place: str) -> None:
    run = tmp_path / "run"
    # Without proofs, it is stopped while it makes them.
    unproven = {"XDG_CACHE_HOME": str(tmp_path)} if place == BEFORE else {}
    process = start("train", "--steps", "500", "--out", run, environment=unproven)
    while not has_come_to(run, place):
        assert process.is_running, process.wait()
        time.sleep(0.05)
    process.send(signal.SIGTERM)
    done = process.wait()
    said, errors = done.stdout, done.stderr
    assert done.returncode == 130, errors
    assert said.startswith(f"a new run, recorded in {run}; ")
    said_last = [line for line in errors.splitlines() if line][-2:]
    goes_on = f"the run goes on with: verirank train --resume {run}"
    assert said_last == [goes_on, "verirank: stopped"]
    assert json.loads((run / "manifest.json").read_text())["status"] == "stopped"
    assert (run / "metrics.jsonl").is_file() == (place == WHILE)


def test_ctrl_c_just_after_a_run_exists_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = trial.start_trial

    def begin_and_stop(config: TrialConfig, folder: Path, **given: Any) -> Run:
        begin(config, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "start_trial", begin_and_stop)
    run = tmp_path / "run"
    monkeypatch.setattr(sys, "argv", ["verirank", "train", "--out", str(run)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert f"verirank train --resume {run}" in capsys.readouterr().err
    assert Run.open(run).status == "stopped"
