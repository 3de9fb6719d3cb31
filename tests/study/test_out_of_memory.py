"""A trial for which the memory of its process does not suffice, and a study that goes on."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from command_line import verirank
from verirank.study import resume_study

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
    limit = partial(resource.setrlimit, resource.RLIMIT_DATA, (4 * 2**29, most))
    command = [sys.executable, "-m", "verirank", "study", "run", "memory.toml", "--out", "s"]
    # A process of its own, with a fork server of its own: both have the limit.
    done = subprocess.run(
        [*command, "--processes", "1"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 1, done.stderr
    status = ("study", "status", tmp_path / "s", "--json")
    trials = json.loads(verirank(*status).stdout)["trials"]
    (failed,) = [trial for trial in trials if trial["state"] != "done"]
    folder = tmp_path / "s" / "trials" / failed["id"]
    assert "micro_batch_tokens = 1000000" in (folder / "trial.toml").read_text()
    assert failed["state"] == "failed"
    assert "can't allocate memory" in failed["error"]
    assert "can't allocate memory" in failed["last_lines"][-1]
    assert [outcome.error for outcome in resume_study(tmp_path / "s")] == [None, None]
    trials = json.loads(verirank(*status).stdout)["trials"]
    assert {trial["state"] for trial in trials} == {"done"}
