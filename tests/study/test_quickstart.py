"""The quickstart, end to end, through the command that a newcomer runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verirank.models import load_base
from verirank.study import Study
from verirank.study._proof import MethodUnprovenError, prove

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}
ROW_KEYS = {
    "method", "bench", "base_avg_at_k", "avg_at_k", "pass_at_k", "k", "n", "low", "high", "seeds",
    "trainable_parameters", "seconds", "peak_memory_bytes",
}  # fmt: skip


@pytest.mark.slow
def test_quickstart_leaves_a_leaderboard_and_a_report(tmp_path: Path) -> None:
    out = tmp_path / "quick"
    command = [sys.executable, "-m", "verirank", "quickstart", "--out", str(out)]
    command += ["--methods", "lora,ia3", "--steps", "3", "--seeds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((out / "leaderboard.json").read_text())["rows"]
    assert {(row["method"], row["bench"]) for row in rows} == {
        (method, bench) for method in ("lora", "ia3") for bench in ("average", "test", "ood")
    }
    assert all(row.keys() >= ROW_KEYS and row["seeds"] == 2 for row in rows)
    assert all(row["low"] <= row["avg_at_k"] <= row["high"] for row in rows)
    assert "<html" in (out / "report.html").read_text()
    again = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert again.returncode == 0
    assert json.loads((out / "leaderboard.json").read_text())["rows"] == rows


@pytest.mark.slow
def test_ctrl_c_stops_every_trial_and_leaves_them_resumable(tmp_path: Path) -> None:
    out = tmp_path / "q"
    command = [sys.executable, "-m", "verirank", "quickstart", "--out", str(out)]
    command += ["--methods", "lora,full", "--steps", "200"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    for _ in range(1200):
        begun = [f.read_text().count("\n") > 2 for f in out.glob("trials/lora-*/metrics.jsonl")]
        if any(begun):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert "study resume" in errors.decode()
    (manifest,) = out.glob("trials/lora-*/manifest.json")
    assert json.loads(manifest.read_text())["status"] == "stopped"


def test_an_unproven_method_does_not_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_study
) -> None:
    from verirank.methods.lora import LoRA

    study: Study = small_study("lora")
    (config,) = study.arms()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(LoRA, "count", lambda self, shape: 1)
    with pytest.raises(MethodUnprovenError, match="trainable-parameters"):
        prove(config.method, config.model, load_base(config.model))
