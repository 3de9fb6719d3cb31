"""What `verirank study run` and `resume` say, and leave alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from command_line import verirank
from verirank.record import Run
from verirank.study import study_names

RESUME = "is run again with: verirank study resume"


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_failed_study_names_what_runs_its_trials_again(
    tmp_path: Path, begun_trials: list[Run], lost: int
) -> None:
    """Those that are lost have a damaged configuration; the others diverged."""
    for run in begun_trials[:lost]:
        (run.folder / "trial.toml").write_text("{")
    for run in begun_trials[lost:]:
        run.update_manifest(status="failed", error="diverged")
    done = verirank("study", "resume", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.count("failed: ") == 2
    machine = f"what failed by the machine's fault {RESUME} {tmp_path / 'out'}\n"
    own = f"what failed by its own fault {RESUME} {tmp_path / 'out'} --retry-failed\n"
    assert (machine in done.stderr) == (lost > 0)
    assert (own in done.stderr) == (lost < 2)


def test_scoring_a_study_names_one_of_its_runs(tmp_path: Path, begun_trials: list[Run]) -> None:
    done = verirank("eval", tmp_path / "out")
    assert done.returncode == 2
    assert f"is a study, not a run; one of its runs is {begun_trials[0].folder}" in done.stderr


@pytest.mark.slow
def test_many_trials_that_fail_alike_are_one_line(tmp_path: Path) -> None:
    rows = [f'{{"id": "{n}", "problem": "Which is {n}?", "answer": "none"}}\n' for n in range(40)]
    (tmp_path / "words.jsonl").write_text("".join(rows))
    file = tmp_path / "study.toml"
    file.write_text(
        'name = "s"\nmethods = ["ia3"]\nseeds = [0, 1, 2]\n[trial]\n'
        f'task.name = "{tmp_path / "words.jsonl"}"\ntraining.steps = 1\n'
        "sampling = {problems_per_step = 2, group_size = 2, max_new_tokens = 4}\n"
        "evaluation.samples = 2\n"
    )
    done = verirank("study", "run", file, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "base on training problems: 0.0 %" in done.stdout
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1
    assert failed[0].startswith("failed: 3 trials, among them ia3-")
    assert "nothing can be learned from equal rewards" in failed[0]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--cpus", "0"),
        ("--cpus", "-1"),
        ("--cpus", "1.5"),
        ("--gpus", "-1"),
        ("--gpus", "2.5"),
        ("--memory", "0"),
        ("--memory", "-1"),
        ("--processes", "0"),
    ],
)
def test_what_no_executor_can_give_is_refused_by_the_options_name(
    tmp_path: Path, option: str, value: str
) -> None:
    done = verirank("study", "run", "smoke", "--out", tmp_path / "s", option, value)
    assert done.returncode == 2
    assert f"Invalid value for '{option}'" in done.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("command", ["plan", "run"])
def test_the_help_lists_the_studies_that_have_a_name(command: str) -> None:
    done = verirank("study", command, "--help")
    assert not [name for name in study_names() if name not in done.stdout]


@pytest.mark.parametrize(
    ("given", "meant"), [("watch", "`study status DIR --watch`?"), ("resum", "'resume'?")]
)
def test_an_unknown_subcommand_is_answered_with_what_was_meant(given: str, meant: str) -> None:
    done = verirank("study", given, "out")
    assert done.returncode == 2
    assert f"no command {given!r}; did you mean {meant}" in done.stderr


def test_a_run_says_first_which_methods_an_axis_leaves_out(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        'name = "s"\npreset = "quickstart"\nmethods = ["ia3"]\n[axes]\n"method.rank" = [4]\n'
    )
    done = verirank("study", "run", file, "--out", tmp_path / "out")
    assert done.returncode == 2
    first, last = done.stderr.splitlines()
    assert first.endswith("ia3 (no method.rank)")
    assert "no method has its axes' keys" in last


@pytest.mark.slow
def test_a_finished_study_is_left_as_it_is_with_its_report(tmp_path: Path) -> None:
    file, out = tmp_path / "study.toml", tmp_path / "out"
    file.write_text(
        'name = "tiny"\npreset = "quickstart"\nmethods = ["ia3"]\n'
        "[trial]\ntraining.steps = 1\n"
        'evaluation = {benches = ["test"], problems = 2, samples = 1}\n'
    )
    done = verirank("study", "run", file, "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"report: {out / 'report.html'}" in done.stdout
    (base,) = [line for line in done.stdout.splitlines() if line.startswith("base on")]
    assert re.fullmatch(r"base on training problems: .*; rewards differ in \d+ of 16 groups", base)
    assert re.search(r"expected of each trial of ia3: about .+, \d\.\d GB", done.stdout)
    before = {f: f.stat().st_mtime_ns for f in out.rglob("*") if f.is_file()}
    again = verirank("study", "resume", out)
    assert again.returncode == 0, again.stderr
    told = f"the study is finished, and its report as it was: {out / 'report.html'}"
    assert again.stdout.splitlines()[-1] == told
    assert {f: f.stat().st_mtime_ns for f in out.rglob("*") if f.is_file()} == before
    # A study that was stopped before its report was written owes it, though all trials are there.
    (trial,) = out.glob("trials/*/manifest.json")
    trial.touch()
    assert "base on" not in again.stdout
    verirank("study", "resume", out)
    assert (out / "report.html").stat().st_mtime_ns > trial.stat().st_mtime_ns
