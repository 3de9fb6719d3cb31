"""The quickstart, end to end, through the command that a newcomer runs."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from command_line import start, verirank
from verirank.models import load_base
from verirank.study import Study
from verirank.trial import MethodUnprovenError, prove

ROW_KEYS = {
    "method", "bench", "base_avg_at_k", "avg_at_k", "pass_at_k", "k", "n", "low", "high", "seeds",
    "trainable_parameters", "seconds", "peak_memory_bytes",
}  # fmt: skip


@pytest.mark.slow
def test_quickstart_leaves_a_leaderboard_and_a_report(tmp_path: Path) -> None:
    out = tmp_path / "quick"
    command = ["quickstart", "--out", str(out), "--methods", "lora,ia3"]
    command += ["--steps", "1", "--seeds", "2"]
    done = verirank(*command)
    assert done.returncode == 0, done.stderr
    rows = json.loads((out / "leaderboard.json").read_text())["rows"]
    assert {(row["method"], row["bench"]) for row in rows} == {
        (method, bench) for method in ("lora", "ia3") for bench in ("average", "test", "ood")
    }
    assert all(row.keys() >= ROW_KEYS and row["seeds"] == 2 for row in rows)
    assert all(row["low"] <= row["avg_at_k"] <= row["high"] for row in rows)
    assert "<html" in (out / "report.html").read_text()
    again = verirank(*command)
    assert again.returncode == 0
    assert json.loads((out / "leaderboard.json").read_text())["rows"] == rows


@pytest.mark.slow
def test_ctrl_c_stops_every_trial_and_leaves_them_resumable(tmp_path: Path) -> None:
    out = tmp_path / "q"
    process = start("quickstart", "--out", out, "--methods", "lora,full", "--steps", "200")
    for _ in range(1200):
        begun = [f.read_text().count("\n") > 2 for f in out.glob("trials/lora-*/metrics.jsonl")]
        if any(begun):
            break
        time.sleep(0.1)
    process.send(signal.SIGINT)
    done = process.wait(60)
    assert done.returncode == 130, done.stderr
    assert "study resume" in done.stderr
    (manifest,) = out.glob("trials/lora-*/manifest.json")
    assert json.loads(manifest.read_text())["status"] == "stopped"


def test_an_unproven_method_does_not_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_study
) -> None:
    from verirank.methods.lora import LoRA

    study: Study = small_study("lora")
    config = study.arms()[0].settings
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(LoRA, "count", lambda self, shape: 1)
    with pytest.raises(MethodUnprovenError, match="trainable-parameters"):
        prove(config.method, config.model, load_base(config.model))
