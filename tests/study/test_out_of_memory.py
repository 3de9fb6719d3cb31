"""A trial for which the memory of its process does not suffice, and a study that goes on."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's"),
]

STUDY = """\
name = "memory"
preset = "quickstart"
methods = ["lora"]
seeds = [0]

[trial.sampling]
problems_per_step = 192

[trial.training]
steps = 1

[trial.evaluation]
benches = ["test"]
problems = 8
samples = 2

[axes]
"training.micro_batch_tokens" = [1024, 1000000]
"""


def test_a_trial_that_runs_out_of_memory_fails_alone_and_passes_where_there_is_more(
    tmp_path: Path,
) -> None:
    (tmp_path / "memory.toml").write_text(STUDY)
    most = psutil.Process().rlimit(psutil.RLIMIT_DATA)[1]
    limit = partial(resource.setrlimit, resource.RLIMIT_DATA, (3 * 2**29, most))

    def verirank(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "verirank", "study", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, **options
        )

    done = verirank("run", "memory.toml", "--out", "s", "--processes", "1", preexec_fn=limit)
    assert done.returncode == 1, done.stderr
    trials = json.loads(verirank("status", "s", "--json").stdout)["trials"]
    (failed,) = [trial for trial in trials if trial["state"] != "done"]
    folder = tmp_path / "s" / "trials" / failed["id"]
    assert "micro_batch_tokens = 1000000" in (folder / "trial.toml").read_text()
    assert failed["state"] == "failed"
    assert "can't allocate memory" in failed["error"]
    assert "can't allocate memory" in failed["last_lines"][-1]
    assert verirank("resume", "s").returncode == 0
    trials = json.loads(verirank("status", "s", "--json").stdout)["trials"]
    assert {trial["state"] for trial in trials} == {"done"}
