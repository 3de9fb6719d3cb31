"""Twenty kills at random, of a worker, the study or all: the same leaderboard as without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import psutil
import pytest

from verirank.config import to_toml
from verirank.report import write_report
from verirank.study import run_study, study_status

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}
KILLS = 20
COSTS = {"seconds", "peak_memory_bytes"}


def trials_of(study: psutil.Process) -> list[psutil.Process]:
    try:
        children = study.children(recursive=True)
        servers = [p for p in children if "forkserver" in " ".join(p.cmdline())]
        return [child for server in servers for child in server.children()]
    except psutil.NoSuchProcess:
        return []


def rows(out: Path) -> list[dict[str, object]]:
    write_report([out], out)
    table = json.loads((out / "leaderboard.json").read_text())["rows"]
    return [{k: v for k, v in row.items() if k not in COSTS} for row in table]


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_twenty_kills_change_nothing(tmp_path: Path, small_study) -> None:
    study = small_study("lora", "ia3", "miss", steps=16, seeds=[0, 1])
    study = study.model_copy(update={"trial": {**study.trial, "checkpoint": {"every": 2}}})
    file, out = tmp_path / "study.toml", tmp_path / "killed"
    file.write_text(to_toml(study))
    command = [sys.executable, "-m", "verirank", "study", "run", str(file), "--out", str(out)]
    random, kills = Random(0), 0
    while True:
        process = subprocess.Popen(
            command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        kills += harass(psutil.Process(process.pid), random, KILLS - kills)
        if process.wait() == 0:
            break
    assert kills == KILLS
    assert study_status(out).count("done") == 6
    run_study(study, tmp_path / "undisturbed")
    assert rows(out) == rows(tmp_path / "undisturbed")


def harass(study: psutil.Process, random: Random, most: int) -> int:
    """Kill workers of a running study, now and then itself, or all as when a machine goes down.

    Returns how often.
    """
    kills = 0
    while kills < most and study.is_running() and study.status() != psutil.STATUS_ZOMBIE:
        time.sleep(random.uniform(0.2, 1.5))
        victims = trials_of(study)
        if not victims:
            continue
        chance = random.random()
        if chance < 0.15:
            victims = [study, *study.children(recursive=True)]
        else:
            victims = [study] if chance < 0.3 else [random.choice(victims)]
        try:
            for victim in victims:
                victim.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
        kills += 1
    return kills
