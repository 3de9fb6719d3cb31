"""Bad input gets one clear line and exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from command_line import Done, verirank
from verirank.config import load_plugin

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
TINY = [
    "--steps", "2",
    "--set", "sampling.problems_per_step=2",
    "--set", "evaluation.problems=4",
    "--set", "evaluation.samples=2",
]  # fmt: skip


def assert_refused(done: Done, *words: str) -> None:
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("verirank: ")
    for word in words:
        assert word in lines[0]


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    done = verirank("train", "--method", "dorra", "--out", tmp_path / "run")
    assert_refused(done, "unknown method 'dorra'", "dora")
    assert not (tmp_path / "run").exists()


CHEAP_MISTAKES: list[tuple[tuple[str, ...], str]] = [
    (("train", "--method", "dorra", "--out", "new"), "unknown method 'dorra'"),
    (("train", "--algorithm", "grppo", "--out", "new"), "did you mean 'grpo'?"),
    (("train", "nothing.toml", "--out", "new"), "no file or preset 'nothing.toml'"),
    (("train", "--task", "none.jsonl", "--out", "new"), "there is no file none.jsonl"),
    (("train", "--set", "training.stepz=1", "--out", "new"), "mean 'training.steps'?"),
    (("train", "--out", "taken"), "output folder taken holds something else"),
    (("train", "--resume", "nowhere"), "there is no run nowhere: it does not exist"),
    (("eval", "--set", "training.stepz=1", "micro"), "mean 'training.steps'?"),
    (("eval", "a/study/trials/one"), "there is no run or model folder a/study/trials/one"),
    (("eval", "./one"), "there is no run or model folder ./one"),
    (("export", "nowhere", "--to", "lora", "--out", "new"), "no run nowhere"),
    (("check", "lorra"), "did you mean 'lora'?"),
    (("plan", "paper-2b"), "no preset or study 'paper-2b'"),
    (("quickstart", "--methods", "lora,dorra"), "did you mean 'dora'?"),
    (("study", "plan", "nothing"), "no study 'nothing'"),
    (("study", "run", "nothing", "--out", "new"), "no study 'nothing'"),
    (("study", "status", "nowhere"), "there is no study nowhere: it does not exist"),
]
WITHOUT_TORCH = """
import json, os, sys
sys.modules["torch"] = None
import verirank.study
from verirank.cli import main
from verirank.config import plugin_names
plugin_names("method")  # finds the plugins once for all
for number, arguments in enumerate(json.loads(sys.argv[1])):
    if os.fork() == 0:
        for stream, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(f"{name}-{number}", os.O_WRONLY | os.O_CREAT), stream)
        sys.argv = ["verirank", *arguments]
        main()
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


@pytest.fixture(scope="module")
def refused_without_torch(tmp_path_factory: pytest.TempPathFactory) -> list[Done]:
    """What every cheap mistake gives in a process that cannot load torch."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "taken").mkdir()
    (folder / "taken" / "file").write_text("")
    asked = json.dumps([arguments for arguments, _ in CHEAP_MISTAKES])
    command = [sys.executable, "-c", WITHOUT_TORCH, asked]
    codes = subprocess.check_output(command, text=True, env=ENVIRONMENT, cwd=folder).split()
    printed = [
        [(folder / f"{name}-{number}").read_text() for name in ("stdout", "stderr")]
        for number in range(len(codes))
    ]
    return [Done(int(code), *texts) for code, texts in zip(codes, printed, strict=True)]


@pytest.mark.parametrize("number", range(len(CHEAP_MISTAKES)))
def test_a_cheap_mistake_is_told_before_torch_is_loaded(
    refused_without_torch: list[Done], number: int
) -> None:
    done = refused_without_torch[number]
    assert_refused(done, CHEAP_MISTAKES[number][1])
    assert done.stdout == ""


def test_rank_zero_is_refused(tmp_path: Path) -> None:
    done = verirank("train", "--set", "method.rank=0", "--out", tmp_path / "run")
    assert_refused(done, "method.rank", "greater than or equal to 1")


def test_a_model_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    done = verirank("train", "--model", tmp_path / "model", "--out", tmp_path / "run")
    assert_refused(done, "no .safetensors weights")


def test_a_task_file_with_a_row_lacking_an_answer_is_refused(tmp_path: Path) -> None:
    task = tmp_path / "task.jsonl"
    task.write_text('{"id": "a", "problem": "1+1=", "answer": "2"}\n{"id": "b", "problem": "2="}\n')
    done = verirank("train", "--task", task, "--out", tmp_path / "run")
    assert_refused(done, "task.jsonl", "answer", "2")


def test_a_folder_that_holds_another_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text("{}")
    assert_refused(verirank("train", *TINY, "--out", run), "holds a run already", "--resume")
    assert (run / "manifest.json").read_text() == "{}"


def test_resuming_what_is_no_run_is_refused(tmp_path: Path) -> None:
    assert_refused(verirank("train", "--resume", tmp_path), "holds no run")


def test_a_run_needs_a_place(tmp_path: Path) -> None:
    assert_refused(verirank("train", *TINY), "--out")


def test_dry_run_prints_toml_that_trains_the_same(tmp_path: Path) -> None:
    first = verirank("train", "quickstart", "--method", "vera", "--set", "seed=7", "--dry-run")
    assert first.returncode == 0, first.stderr
    file = tmp_path / "trial.toml"
    file.write_text(first.stdout)
    assert verirank("train", file, "--dry-run").stdout == first.stdout


@pytest.mark.parametrize("method", ["full", "ia3", "ln-tuning"])
def test_a_presets_rank_is_dropped_for_a_method_without_one_and_a_users_is_refused(
    method: str,
) -> None:
    words = ("train", "quickstart", "--method", method, "--dry-run")
    done = verirank(*words)
    assert done.returncode == 0, done.stderr
    assert "rank" not in tomllib.loads(done.stdout)["method"]
    assert_refused(verirank(*words, "--set", "method.rank=4"), "unknown key 'method.rank'")


def test_a_presets_rank_is_not_veras_but_a_users_is() -> None:
    words = ("train", "quickstart", "--method", "vera", "--dry-run")
    assert tomllib.loads(verirank(*words).stdout)["method"]["rank"] == 256
    told = verirank(*words, "--set", "method.rank=4").stdout
    assert tomllib.loads(told)["method"]["rank"] == 4


def test_dry_run_tells_what_stands_for_settings_that_are_left_open() -> None:
    told = verirank("train", "quickstart", "--method", "adalora", "--dry-run").stdout.splitlines()
    rate = load_plugin("method", "adalora").default_rates.micro
    for line in (f"learning_rate = {rate}", "alpha = 16.0", "target_rank = 4", "problems = 128"):
        assert f"# {line}" in told
    assert {"# samples = 8", "# temperature = 1.0", "# max_new_tokens = 64"} <= set(told)
    given = ("--set", "method.alpha=4", "--set", "evaluation.samples=2")
    told = verirank("train", "quickstart", *given, "--dry-run").stdout.splitlines()
    assert {"alpha = 4.0", "samples = 2", "# problems = 128"} <= set(told)
    assert not {"# alpha = 4.0", "# samples = 2"} & set(told)


def test_dry_run_tells_each_benchs_own_sampling_where_they_differ() -> None:
    done = verirank(
        "train", "--task", "math", "--set", 'evaluation.benches=["test", "aime24"]', "--dry-run"
    )
    assert "# samples = 8 of test, 32 of aime24" in done.stdout.splitlines(), done.stderr


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_no_finished_run(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        trained = verirank("train", *TINY, "--method", "full", "--out", tmp_path / "run")
        assert trained.returncode == 2, trained.stderr
        assert "disk is full" in trained.stderr
        assert '"done"' not in (tmp_path / "run" / "manifest.json").read_text()
        scored = verirank("eval", tmp_path / "run")
        assert scored.returncode == 2
        assert "is not trained to its end" in scored.stderr
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_an_output_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = verirank("train", *TINY, "--out", tmp_path / "file" / "run")
    assert_refused(done, "cannot use", "file")


def test_a_model_that_is_neither_here_nor_on_the_hub_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    done = verirank("train", "--model", "nowhere/nothing", "--out", tmp_path / "run")
    assert_refused(done, "no folder here", "nowhere/nothing")


def test_the_vllm_sampler_without_vllm_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    done = verirank("train", "--sampler", "vllm", "--out", tmp_path / "run")
    assert_refused(done, "vLLM", "not installed", "pip install 'verirank[vllm]'", "make vllm")
    assert not (tmp_path / "run").exists()
