"""vLLM under torchrun: an engine a process, and together what one process trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from served import NEEDS_VLLM

pytestmark = [*NEEDS_VLLM, pytest.mark.thorough]
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
SETTINGS = [
    *("--sampler", "vllm", "--steps", "2"),
    *("--set", f"sampling.vllm.kv_cache_memory_bytes={2**29}"),
    *("--set", "sampling.problems_per_step=4"),
    *("--set", "sampling.group_size=4"),
    *("--set", "evaluation.problems=4"),
    *("--set", "evaluation.samples=2"),
]


def train(launcher: list[str], *more: str, out: Path) -> subprocess.CompletedProcess[str]:
    settings = [*SETTINGS, *more, "--out", str(out)]
    return subprocess.run(
        [sys.executable, *launcher, "-m", "verirank", "train", *settings],
        env=os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_have_an_engine_each_and_train_what_one_does(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for launcher, out in (([], one), (TORCHRUN, two)):
        done = train(launcher, out=out)
        assert done.returncode == 0, done.stderr
    assert json.loads((two / "manifest.json").read_text())["processes"] == 2
    assert rollouts(one) == rollouts(two)
    for ours, theirs in zip(*(lines(run / "metrics.jsonl") for run in (one, two)), strict=True):
        assert 0 <= theirs["kl_train_sampler"] < 1e-6
        for name in ("reward_mean", "grad_norm", "entropy", "delta_norm"):
            assert theirs[name] == pytest.approx(ours[name], rel=1e-4), name
    scores = [json.loads((run / "eval.json").read_text()) for run in (one, two)]
    assert scores[0] == scores[1]


def rollouts(run: Path) -> list[dict[str, object]]:
    files = sorted((run / "rollouts").glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_engine_that_processes_would_share_is_refused_in_one_line(tmp_path: Path) -> None:
    split = ["--set", "sampling.vllm.tensor_parallel_size=2"]
    done = train(TORCHRUN, *split, out=tmp_path / "run")
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("verirank:")]
    assert said == [
        "verirank: each of the 2 processes has a vLLM engine on its own device, so that "
        "sampling.vllm.tensor_parallel_size has to be 1; or start one process"
    ]
    assert not (tmp_path / "run").exists()
