"""A run that is killed or stopped goes on to the same bits."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from command_line import start

STEPS = 8
SETTINGS = [
    "--steps", str(STEPS),
    "--set", "checkpoint.every=3",
    "--set", "sampling.problems_per_step=4",
    "--set", "sampling.group_size=4",
    "--set", "evaluation.problems=8",
    "--set", "evaluation.samples=2",
]  # fmt: skip
TIMES = ("seconds", "tokens_per_second", "peak_memory_bytes")


def finish(*arguments: str) -> None:
    done = start(*arguments).wait()
    assert done.returncode == 0, done.stderr


def metrics(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith(TIMES)} for line in lines]


def wait_for_steps(run: Path, steps: int) -> None:
    for _ in range(3000):
        file = run / "metrics.jsonl"
        if file.is_file() and file.read_text().count("\n") >= steps:
            return
        time.sleep(0.02)
    raise AssertionError(f"{run} never reached step {steps}")


def assert_same_run(run: Path, undisturbed: Path) -> None:
    assert metrics(run) == metrics(undisturbed)
    ours, theirs = (load_file(r / "adapter" / "state.safetensors") for r in (run, undisturbed))
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    scores = [json.loads((r / "eval.json").read_text()) for r in (run, undisturbed)]
    assert scores[0] == scores[1]
    files = [sorted((r / "rollouts").glob("*.parquet")) for r in (run, undisturbed)]
    assert [f.name for f in files[0]] == [f.name for f in files[1]]
    for ours_file, theirs_file in zip(*files, strict=True):
        assert pq.read_table(ours_file).equals(pq.read_table(theirs_file))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "more"),
    [
        pytest.param("adalora", [], marks=pytest.mark.thorough),
        pytest.param("milora", [], marks=pytest.mark.thorough),
        ("dora", ["--algorithm", "dapo", "--set", "algorithm.inner_updates=2"]),
    ],
)
def test_a_run_killed_at_random_points_resumes_to_the_same_bits(
    tmp_path: Path, method: str, more: list[str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    more = [*more, *SETTINGS]
    finish("train", "--method", method, *more, "--out", str(whole))
    places = sorted(random.Random(method).sample(range(1, STEPS), 2))
    process = start("train", "--method", method, *more, "--out", str(killed))
    for place in places:
        wait_for_steps(killed, place)
        time.sleep(random.Random(place).random() * 0.3)
        process.send(signal.SIGKILL)
        assert process.wait().returncode == -signal.SIGKILL
        process = start("train", "--resume", str(killed))
    done = process.wait()
    assert done.returncode == 0, done.stderr
    assert_same_run(killed, whole)
    assert json.loads((killed / "manifest.json").read_text())["status"] == "done"


@pytest.mark.slow
def test_ctrl_c_leaves_a_resumable_run(tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    finish("train", *SETTINGS, "--out", str(whole))
    process = start("train", *SETTINGS, "--out", str(stopped))
    wait_for_steps(stopped, 4)
    process.send(signal.SIGINT)
    done = process.wait()
    assert done.returncode == 130
    assert "--resume" in done.stderr
    manifest = json.loads((stopped / "manifest.json").read_text())
    assert manifest["status"] == "stopped"
    finish("train", "--resume", str(stopped))
    assert metrics(stopped) == metrics(whole)


@pytest.mark.slow
def test_the_written_configuration_repeats_the_run(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    finish("train", "--algorithm", "dapo", *SETTINGS, "--out", str(first))
    finish("train", str(first / "trial.toml"), "--out", str(second))
    assert_same_run(second, first)
