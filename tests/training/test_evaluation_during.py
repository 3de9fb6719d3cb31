"""Scores along the way: `evaluation.every`."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from command_line import start, verirank
from verirank.config import resolve

SETTINGS = [
    "--steps", "5",
    "--set", "checkpoint.every=3",
    "--set", "sampling.problems_per_step=4",
    "--set", "evaluation.problems=8",
    "--set", "evaluation.samples=2",
]  # fmt: skip
TIMES = ("seconds", "tokens_per_second", "peak_memory_bytes")


def lines(run: Path) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith(TIMES)} for line in found]


def train(*arguments: str | Path) -> None:
    done = verirank("train", *arguments)
    assert done.returncode == 0, done.stderr


def assert_same_scores(run: Path, undisturbed: Path, steps: list[int]) -> None:
    assert lines(run) == lines(undisturbed)
    for folder in (run, undisturbed):
        names = {file.name for file in (folder / "during").glob("*.parquet")}
        assert names == {f"step-{step}.parquet" for step in steps}
    for step in steps:
        ours, theirs = (
            pq.read_table(r / "during" / f"step-{step}.parquet") for r in (run, undisturbed)
        )
        assert ours.equals(theirs)


@pytest.mark.slow
def test_the_selection_bench_is_scored_at_its_steps_and_changes_no_training(tmp_path: Path) -> None:
    plain, scored = tmp_path / "plain", tmp_path / "scored"
    train(*SETTINGS, "--out", plain)
    train(*SETTINGS, "--set", "evaluation.every=2", "--out", scored)
    found = lines(scored)
    assert [line["step"] for line in found if "selection_avg_at_k" in line] == [2, 4]
    assert all(line["selection_n"] == 8 for line in found if "selection_n" in line)
    trained = [{k: v for k, v in line.items() if not k.startswith("selection_")} for line in found]
    assert trained == lines(plain)
    assert not (plain / "during").exists()
    for step in (2, 4):
        samples = pq.read_table(scored / "during" / f"step-{step}.parquet")
        right = samples["correct"].to_pylist()
        assert len(right) == 8 * 2
        assert found[step - 1]["selection_avg_at_k"] == pytest.approx(sum(right) / len(right))
    manifest = json.loads((scored / "manifest.json").read_text())
    spent = [json.loads(r) for r in (scored / "metrics.jsonl").read_text().splitlines()]
    during = sum(line.get("seconds_selection", 0.0) for line in spent)
    assert manifest["seconds_selection"] == pytest.approx(during)
    assert manifest["seconds_evaluate"] > during > 0


@pytest.mark.slow
def test_a_stop_while_a_bench_is_scored_leaves_the_score_to_the_resume(tmp_path: Path) -> None:
    many = ("evaluation.every=2", "evaluation.problems=96", "evaluation.samples=16")
    settings = (*SETTINGS, *(word for one in many for word in ("--set", one)))
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(*settings, "--out", whole)
    process = start("train", *settings, "--out", stopped)
    deadline = time.monotonic() + 60
    while not (stopped / "metrics.jsonl").is_file() or len(lines(stopped)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send(signal.SIGTERM)
    assert process.wait().returncode != 0
    found = lines(stopped)
    assert [line["step"] for line in found] == [1, 2]
    assert "selection_avg_at_k" not in found[-1]
    assert (stopped / "checkpoints" / "step-2").is_dir()
    train("--resume", stopped)
    assert_same_scores(stopped, whole, [2, 4])


@pytest.mark.slow
def test_a_run_killed_after_a_score_comes_to_the_same_samples(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    every = ("--set", "evaluation.every=2")
    train(*SETTINGS, *every, "--out", whole)
    process = start("train", *SETTINGS, *every, "--out", killed)
    deadline = time.monotonic() + 60
    while not (killed / "during" / "step-4.parquet").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send(signal.SIGKILL)
    process.wait()
    train("--resume", killed)
    assert_same_scores(killed, whole, [2, 4])


def test_the_selection_bench_is_looked_at_before_training_only_where_it_is_sampled() -> None:
    plain, scored = (resolve({"evaluation": each}).evaluation for each in ({}, {"every": 5}))
    assert (plain.sampled, scored.sampled) == (("test",), ("test", "selection"))
