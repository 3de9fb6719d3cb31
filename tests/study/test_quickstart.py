"""The quickstart, end to end, and trials side by side that survive whatever happens to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from verirank.config import InputError, TrialConfig
from verirank.study import quickstart_trials, run_trials, start_trial
from verirank.study._proof import MethodUnprovenError, prove

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}
ROW_KEYS = {
    "method", "bench", "base_avg_at_k", "avg_at_k", "pass_at_k", "k", "n", "low", "high", "seeds",
    "trainable_parameters", "seconds", "peak_memory_bytes",
}  # fmt: skip


def small_trials(*methods: str, steps: int = 2) -> dict[str, TrialConfig]:
    trials = quickstart_trials("quickstart", methods, steps=steps, seeds=[0])
    small = {"evaluation": {"benches": ("test",), "problems": 8, "samples": 2}}
    return {
        name: config.model_copy(
            update={"evaluation": config.evaluation.model_copy(update=small["evaluation"])}
        )
        for name, config in trials.items()
    }


@pytest.mark.slow
def test_quickstart_leaves_a_leaderboard_and_a_report(tmp_path: Path) -> None:
    out = tmp_path / "quick"
    command = [sys.executable, "-m", "verirank", "quickstart", "--out", str(out)]
    command += ["--methods", "lora,ia3", "--steps", "3", "--seeds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((out / "leaderboard.json").read_text())["rows"]
    assert {(row["method"], row["bench"]) for row in rows} == {
        (method, bench) for method in ("lora", "ia3") for bench in ("test", "ood")
    }
    assert all(row.keys() >= ROW_KEYS and row["seeds"] == 2 for row in rows)
    assert all(row["low"] <= row["avg_at_k"] <= row["high"] for row in rows)
    assert "<html" in (out / "report.html").read_text()
    again = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert again.returncode == 0
    assert json.loads((out / "leaderboard.json").read_text())["rows"] == rows


@pytest.mark.slow
def test_a_killed_trial_costs_only_itself_and_goes_on_when_asked_again(tmp_path: Path) -> None:
    trials = small_trials("lora", "ia3", steps=12)
    victims: list[int] = []

    def kill_once() -> None:
        files = [tmp_path / "trials" / name / "metrics.jsonl" for name in trials]
        if victims or not all(f.is_file() and f.read_text().count("\n") > 1 for f in files):
            return
        (server,) = (
            p for p in psutil.Process().children() if "forkserver" in " ".join(p.cmdline())
        )
        trial = server.children()[0]
        victims.append(trial.pid)
        trial.kill()

    outcomes = run_trials(trials, tmp_path, processes=2, on_poll=kill_once)
    assert len(victims) == 1
    assert sorted(str(outcome.error) for outcome in outcomes) == ["None", "killed by signal 9"]
    outcomes = run_trials(trials, tmp_path, processes=2)
    assert [outcome.error for outcome in outcomes] == [None, None]
    for name in trials:
        manifest = json.loads((tmp_path / "trials" / name / "manifest.json").read_text())
        assert manifest["status"] == "done"
        assert manifest["conformance"]["passed"]


@pytest.mark.slow
def test_two_processes_and_one_give_the_same_numbers(tmp_path: Path) -> None:
    trials = small_trials("lora", "miss")
    for processes in (1, 2):
        run_trials(trials, tmp_path / str(processes), processes=processes)
    for name in trials:
        one, two = (
            json.loads((tmp_path / n / "trials" / name / "eval.json").read_text()) for n in "12"
        )
        assert one == two


@pytest.mark.slow
def test_ctrl_c_stops_every_trial_and_leaves_them_resumable(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "verirank", "quickstart", "--out", str(tmp_path / "q")]
    command += ["--methods", "lora,full", "--steps", "200"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    metrics = tmp_path / "q" / "trials" / "lora-seed0" / "metrics.jsonl"
    for _ in range(1200):
        if metrics.is_file() and metrics.read_text().count("\n") > 2:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    manifest = json.loads((metrics.parent / "manifest.json").read_text())
    assert manifest["status"] == "stopped"


def test_other_settings_in_the_same_place_are_refused(tmp_path: Path) -> None:
    (config,) = small_trials("lora").values()
    start_trial(config, tmp_path / "trials" / "lora-seed0")
    with pytest.raises(InputError, match="other settings"):
        run_trials(small_trials("lora", steps=3), tmp_path)


def test_a_preset_rank_reaches_only_the_methods_that_have_one() -> None:
    trials = quickstart_trials("quickstart", ["lora", "ia3"], steps=None, seeds=[0])
    assert trials["lora-seed0"].method.model_dump()["rank"] == 8
    assert "rank" not in trials["ia3-seed0"].method.model_dump()


def test_an_unproven_method_does_not_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verirank.methods.lora import LoRA
    from verirank.models import load_base

    (config,) = small_trials("lora").values()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(LoRA, "count", lambda self, shape: 1)
    with pytest.raises(MethodUnprovenError, match="trainable-parameters"):
        prove([config.method], config.model, load_base(config.model))
