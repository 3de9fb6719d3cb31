"""Every file of a finished run, damaged in every way: named, or left out; never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Done, verirank
from verirank.config import resolve
from verirank.models import load_base
from verirank.trial import run_trial, start_trial

Damage = Callable[[Path], object]


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def put_a_folder_there(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Damage] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "empty": lambda file: file.write_bytes(b""),
    "bit": flip_a_bit,
    "object": lambda file: file.write_text('{"another": [1, null]}'),
    "list": lambda file: file.write_text("[1]"),
    "missing": Path.unlink,
    "folder": put_a_folder_there,
}
RECORDS = (
    "trial.toml",
    "manifest.json",
    "metrics.jsonl",
    "eval.json",
    "retention.json",
    "eval/test.parquet",
    "eval/base/test.parquet",
    "rollouts/steps-000001-000002.parquet",
)
WEIGHTS = (
    "adapter/policy.json",
    "adapter/state.safetensors",
    "init/policy.json",
    "init/state.safetensors",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "lora"
    settings = {
        "sampling": {"problems_per_step": 2, "group_size": 2},
        "training": {"steps": 2},
        "evaluation": {"problems": 4, "samples": 2},
    }
    config = resolve(settings)
    run_trial(start_trial(config, folder), load_base(config.model))
    return folder


def damaged(finished: Path, run: Path, name: str, damage: str) -> Path:
    shutil.copytree(finished, run)
    DAMAGES[damage](run / name)
    return run


def expect_a_line_or_success(done: Done) -> None:
    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or done.stderr.count("verirank:") == 1


def test_the_list_above_has_every_file_of_a_run(finished: Path) -> None:
    files = {str(file.relative_to(finished)) for file in finished.rglob("*") if file.is_file()}
    others = {name for name in files if name.startswith("checkpoints/") or "/." in f"/{name}"}
    assert files - others - set(RECORDS) - set(WEIGHTS) <= {"eval/base/training-problems.parquet"}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_is_shown_as_far_as_it_is_whole(
    finished: Path, tmp_path: Path, name: str, damage: str
) -> None:
    run = damaged(finished, tmp_path / "run", name, damage)
    for options in ([], ["--bench", "test"], ["--step", "1"]):
        expect_a_line_or_success(verirank("show", run, *options))


@pytest.mark.slow
@pytest.mark.parametrize("name", (*RECORDS, "adapter/state.safetensors"))
def test_a_report_leaves_damaged_runs_out_and_draws_the_others(
    finished: Path, tmp_path: Path, name: str
) -> None:
    store = tmp_path / "store"
    for seed, damage in enumerate(["whole", *DAMAGES]):
        shutil.copytree(finished, store / damage)
        for file, zero, own in (
            ("trial.toml", "seed = 0", f"seed = {seed}"),
            ("manifest.json", '"seed": 0', f'"seed": {seed}'),
        ):
            text = (store / damage / file).read_text()
            (store / damage / file).write_text(text.replace(zero, own, 1))
        if damage != "whole":
            DAMAGES[damage](store / damage / name)
    done = verirank("report", store, "--out", tmp_path / "report")
    expect_a_line_or_success(done)
    assert done.returncode == 0
    table = json.loads((tmp_path / "report" / "leaderboard.json").read_text())
    assert [row["method"] for row in table["rows"]]
    assert (tmp_path / "report" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "bit", "object", "missing"])
@pytest.mark.parametrize("name", ("trial.toml", "manifest.json", *WEIGHTS))
def test_damaged_weights_and_settings_are_refused_by_name_or_not_needed(
    finished: Path, tmp_path: Path, name: str, damage: str
) -> None:
    run = damaged(finished, tmp_path / "run", name, damage)
    exported = verirank("export", run, "--to", "adapter", "--out", tmp_path / "exported")
    evaluated = verirank("eval", run, "--problems", "2", "--samples", "1")
    analyzed = verirank("analyze", run)
    for done in (exported, evaluated, analyzed):
        expect_a_line_or_success(done)
    if name.startswith("adapter/") or (name == "trial.toml" and damage != "bit"):
        assert {exported.returncode, evaluated.returncode, analyzed.returncode} == {2}
