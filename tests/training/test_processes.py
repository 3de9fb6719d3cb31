"""Two processes, as torchrun starts them, train what one process trains."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from socket import create_server

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from command_line import start, verirank
from verirank.config import InputError, resolve

SETTINGS = [
    "--steps", "4",
    "--set", "checkpoint.every=2",
    "--set", "sampling.problems_per_step=5",
    "--set", "sampling.group_size=4",
    "--set", "training.warmup_steps=2",
    # Where a gradient is all rounding, AdamW still takes a step of this size, either way.
    "--set", "method.learning_rate=1e-4",
    "--set", "training.micro_batch_tokens=256",
    "--set", "evaluation.problems=5",
    "--set", "evaluation.samples=2",
]  # fmt: skip
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}
TRACKER = ["--tracker", "tensorboard"] if find_spec("tensorboard") else []
TIMES = ("seconds", "tokens_per_second", "peak_memory_bytes")


def torchrun(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *TORCHRUN, *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*arguments: str) -> None:
    done = start(*arguments).wait()
    assert done.returncode == 0, done.stderr


def finish_two(*arguments: str) -> None:
    """Run a command in two processes with the variables that torchrun sets.

    They are forked with every library loaded; torchrun would load them three times.
    """
    with create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    both = [
        start(*arguments, environment=group | {"RANK": rank, "LOCAL_RANK": rank}) for rank in "01"
    ]
    for done in [process.wait() for process in both]:
        assert done.returncode == 0, done.stderr


def metrics(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith(TIMES)} for line in lines]


def rollouts(run: Path) -> list[dict[str, object]]:
    files = sorted((run / "rollouts").glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def assert_same_to_rounding(run: Path, other: Path) -> None:
    assert [m["step"] for m in metrics(run)] == [1, 2, 3, 4]
    for ours, theirs in zip(metrics(run), metrics(other), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5, rel=1e-5)
    ours, theirs = (load_file(r / "adapter" / "state.safetensors") for r in (run, other))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], atol=1e-5, rtol=1e-5)
    assert rollouts(run) == rollouts(other)
    scores = [json.loads((r / "eval.json").read_text()) for r in (run, other)]
    assert scores[0] == scores[1]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder for the runs of one process by method, which several tests compare with."""
    return {"folder": tmp_path_factory.mktemp("runs")}


def one_process(runs: dict[str, Path], settings: list[str]) -> Path:
    name = " ".join(settings)
    if name not in runs:
        runs[name] = runs["folder"] / str(len(runs))
        finish("train", *SETTINGS, *settings, "--out", str(runs[name]))
    return runs[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "more"),
    [
        pytest.param(["--method", "lora"], [], marks=pytest.mark.thorough),
        (["--method", "adalora"], []),
        pytest.param(["--method", "full"], [], marks=pytest.mark.thorough),
        (
            [
                *("--method", "lora", "--algorithm", "grpo"),
                *("--set", "algorithm.kl_coefficient=0.05"),
                *("--set", "algorithm.inner_updates=2"),
            ],
            [],
        ),
        pytest.param(["--method", "lora", "--algorithm", "dapo"], [], marks=pytest.mark.thorough),
        (
            ["--method", "full"],
            [
                *("--set", "machine.shard=true"),
                *("--set", "machine.gradient_checkpointing=true"),
                *TRACKER,
            ],
        ),
    ],
    ids=["lora", "adalora", "full", "KL and inner updates", "dapo", "full sharded"],
)
def test_two_processes_train_what_one_does(
    runs: dict[str, Path], tmp_path: Path, settings: list[str], more: list[str]
) -> None:
    two = tmp_path / "two"
    finish_two("train", *SETTINGS, *settings, *more, "--out", str(two))
    assert_same_to_rounding(two, one_process(runs, settings))
    manifest = json.loads((two / "manifest.json").read_text())
    assert (manifest["status"], manifest["processes"]) == ("done", 2)
    if not more:
        return
    assert len(list(two.glob("trackers/tensorboard/events.*"))) == bool(TRACKER), "first one writes"
    # As a kill between the second step and the end of the fourth would have left it.
    resumed = tmp_path / "resumed"
    shutil.copytree(two, resumed)
    for gone in ("adapter", "checkpoints/step-4"):
        shutil.rmtree(resumed / gone)
    (resumed / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))
    finish_two("train", "--resume", str(resumed))
    assert_same_to_rounding(resumed, two)
    assert len(list(resumed.glob("trackers/tensorboard/events.*"))) == 2 * bool(TRACKER)


@pytest.mark.slow
def test_ctrl_c_stops_all_processes_after_the_same_step(tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = [*SETTINGS, "--set", "training.steps=500"]
    process = torchrun("-m", "verirank", "train", *settings, "--out", str(run))
    for _ in range(2000):
        if (run / "metrics.jsonl").is_file() and len(metrics(run)) >= 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert errors.count("verirank train --resume") == 1
    manifest = json.loads((run / "manifest.json").read_text())
    assert (manifest["status"], manifest["processes"]) == ("stopped", 2)
    assert (run / "checkpoints" / f"step-{len(metrics(run))}" / "state.json").is_file()


@pytest.mark.slow
def test_different_settings_end_in_one_clear_line(tmp_path: Path) -> None:
    script = tmp_path / "uneven.py"
    script.write_text(
        "import os, sys\nfrom verirank.cli import main\n"
        "sys.argv = ['verirank', 'train', '--seed', os.environ['RANK'], '--out', sys.argv[1]]\n"
        "main()\n"
    )
    process = torchrun(str(script), str(tmp_path / "run"))
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    lines = [line for line in errors.splitlines() if line.startswith("verirank:")]
    assert lines == [
        "verirank: process 1 differs from process 0 in seed: 1 instead of 0; "
        "start all processes with the same command and files"
    ]
    assert not (tmp_path / "run").exists()


def test_other_commands_refuse_to_run_under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = verirank("methods")
    assert done.returncode == 2
    assert done.stderr.startswith("verirank: `verirank methods` is one process")


def test_sharding_an_adapter_is_refused() -> None:
    with pytest.raises(InputError, match="splits the weights of full fine-tuning; lora trains few"):
        resolve({"machine": {"shard": True}})
