"""A GPU that fails its trials is set aside, and the trials end on others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from verirank.study.executors import GPUHealth
from verirank.trial import failure_kind, is_device_fault

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}

TASK = """\
import os
from verirank.tasks.arithmetic import Arithmetic

class Faulty(Arithmetic):
    name = "faulty"

    def __init__(self, config):
        with open(os.environ["VISITS"], "a") as visits:
            visits.write(os.environ["CUDA_VISIBLE_DEVICES"] + "\\n")
        if os.environ["CUDA_VISIBLE_DEVICES"] == os.environ["BROKEN"]:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        super().__init__(config)

    def training_problem(self, seed, index):
        if os.environ["BROKEN"] == f"seed {seed}":
            raise RuntimeError("CUDA error: device-side assert triggered")
        return super().training_problem(seed, index)
"""
RUN = """\
import json, sys
from pathlib import Path
from verirank.study import LocalExecutor, make_study, run_study

study = make_study({
    "name": "faulty", "preset": "quickstart", "methods": ["ia3"], "seeds": list(range(6)),
    "trial": {
        "task": {"name": "faulty"}, "training": {"steps": 1},
        "evaluation": {"benches": ["test"], "problems": 4, "samples": 1},
    },
})
gpus = [str(gpu) for gpu in range(int(sys.argv[1]))]
outcomes = run_study(study, Path("s"), executor=LocalExecutor(gpus=gpus))
print(json.dumps([outcome.error for outcome in outcomes]))
"""


@pytest.fixture
def run_on(tmp_path: Path):
    """Return a function that runs six trials on pretended GPUs, of which some are broken."""
    (tmp_path / "faulty_task.py").write_text(TASK)
    metadata = tmp_path / "faulty_task-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-task\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[verirank.tasks]\nfaulty = faulty_task:Faulty\n")

    def run(gpus: int, broken: str) -> tuple[list[str | None], list[str], str]:
        environment = ENVIRONMENT | {
            "PYTHONPATH": str(tmp_path),
            "BROKEN": broken,
            "VISITS": str(tmp_path / "visits"),
            "CUDA_VISIBLE_DEVICES": "",
        }
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(gpus)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        visits = (tmp_path / "visits").read_text().split()
        return json.loads(done.stdout.splitlines()[-1]), visits, done.stderr

    return run


@pytest.mark.thorough
def test_of_eight_gpus_one_that_always_fails_gets_two_trials_and_all_trials_end(run_on) -> None:
    errors, visits, _ = run_on(8, broken="3")
    assert errors == [None] * 6
    assert visits.count("3") <= 2


def test_a_gpu_that_failed_twice_gets_no_other_trial(run_on) -> None:
    errors, visits, said = run_on(2, broken="0")
    assert errors == [None] * 6
    assert visits.count("0") == 2
    assert "GPU 0 failed two trials and gets no other" in said


@pytest.mark.thorough
def test_a_trial_that_fails_on_two_gpus_is_at_fault_itself(run_on) -> None:
    errors, _, said = run_on(2, broken="seed 5")
    assert [error is not None for error in errors] == [False] * 5 + [True]
    assert "CUDA error" in str(errors[5])
    assert "gets no other" not in said


def test_the_last_gpu_is_never_set_aside_and_success_clears_a_gpu(tmp_path: Path) -> None:
    alone = GPUHealth(["0"])
    assert [alone.failed("0", tmp_path / name) for name in "abc"] == ["unknown"] * 3
    assert alone.good == ["0"]
    pair = GPUHealth(["0", "1"])
    assert pair.failed("0", tmp_path / "a") == "unknown"
    pair.ended_well("0")
    assert pair.failed("0", tmp_path / "b") == "unknown"
    assert pair.failed("0", tmp_path / "c") == "gpu"
    assert pair.good == ["1"]


def test_two_bad_trials_set_no_gpu_aside(tmp_path: Path) -> None:
    health = GPUHealth(["0", "1", "2"])
    assert health.failed("0", tmp_path / "a") == "unknown"
    assert health.failed("1", tmp_path / "a") == "trial"
    assert health.failed("1", tmp_path / "b") == "unknown"
    assert health.failed("2", tmp_path / "b") == "trial"
    assert health.good == ["0", "1", "2"]


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: an illegal memory access was encountered",
        "No CUDA GPUs are available",
        "CUDA unknown error - this may be due to an incorrectly set up environment",
        "Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized",
        "CUDA driver error: invalid argument",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "Triton Error [CUDA]: an illegal memory access was encountered",
        "NCCL Error 1: unhandled cuda error",
        "Engine core initialization failed. See root cause above.",
    ],
)
def test_a_gpus_faults_are_told_by_the_words_of_the_libraries(words: str) -> None:
    outer = RuntimeError("the trial ended")
    outer.__cause__ = RuntimeError(words)
    assert is_device_fault(outer)
    assert failure_kind(outer) == "machine"


def test_other_errors_are_no_faults_of_a_gpu() -> None:
    assert not is_device_fault(ValueError("mat1 and mat2 shapes cannot be multiplied"))
