"""`verirank analyze` on real runs of the micro model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from command_line import Done, verirank
from verirank.config import override, resolve
from verirank.geometry import FRACTIONS
from verirank.models import load_base
from verirank.trial import run_trial, start_trial

STEPS = 2
SMALL = (
    f"training.steps={STEPS}",
    "checkpoint.every=1",
    "sampling.problems_per_step=4",
    "evaluation.problems=2",
    "evaluation.samples=1",
)


def train(folder: Path, *settings: str) -> Path:
    config = resolve(override({}, [*SMALL, *settings]))
    run_trial(start_trial(config, folder), load_base(config.model))
    return folder


def analyze(*arguments: str | Path) -> Done:
    return verirank("analyze", *arguments)


def read(folder: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((folder / "geometry.json").read_text(), parse_constant=refuse)


def assert_refused(done: Done, *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    lora = train(folder / "lora", "method.name=lora", "method.rank=4")
    return lora, train(folder / "full", "method.name=full", "seed=1")


@pytest.fixture(scope="module")
def analyzed(runs: tuple[Path, Path]) -> Done:
    return analyze(*runs)


def test_the_table_has_each_run_its_modules_and_the_comparison(
    analyzed: Done,
) -> None:
    assert analyzed.returncode == 0, analyzed.stderr
    for words in ("lora, seed 0, 2 steps", "full, seed 1, 2 steps", "q_proj x4", "1 and 2", "NSS"):
        assert words in analyzed.stdout


def test_a_runs_file_has_a_row_for_each_weight_that_its_method_changes(
    runs: tuple[Path, Path], analyzed: Done
) -> None:
    lora, full = map(read, runs)
    assert len(lora["matrices"]) == 4 * 7
    assert lora["summary"]["modules"].keys() == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    base = load_base(resolve({}).model).model
    assert [row["name"] for row in full["matrices"]] == [n for n, _ in base.named_parameters()]
    assert lora["run"]["method"] == "lora"
    assert lora["run"]["steps"] == STEPS


def test_a_lora_of_rank_4_moves_each_matrix_by_at_most_rank_4(
    runs: tuple[Path, Path], analyzed: Done
) -> None:
    for row in read(runs[0])["matrices"]:
        assert not row["unchanged"]
        rank = row["measures"]["effective_rank"]
        assert 1 <= rank["value"] <= 4.01 < rank["null"]
        assert 0 < row["measures"]["spectral_shift"]["value"] < 0.1
        for curve in row["curves"].values():
            assert [len(line) for line in curve.values()] == [len(FRACTIONS)] * 3


def test_the_norm_of_the_update_is_the_one_that_training_recorded(
    runs: tuple[Path, Path], analyzed: Done
) -> None:
    for run in runs:
        recorded = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        trajectory = read(run)["trajectory"]
        assert [moment["step"] for moment in trajectory] == [1, 2]
        for line, moment in zip(recorded, trajectory, strict=True):
            found = moment["summary"]["overall"]["measures"]["change_norm"]["value"]
            assert found == pytest.approx(line["delta_norm"], rel=1e-3)


def test_the_trajectory_ends_with_the_summary(runs: tuple[Path, Path], analyzed: Done) -> None:
    for run in runs:
        geometry = read(run)
        assert geometry["trajectory"][-1]["summary"] == geometry["summary"]


def test_two_runs_are_compared_where_both_change_a_weight(
    runs: tuple[Path, Path], analyzed: Done
) -> None:
    lora, full = map(read, runs)
    assert lora["comparisons"] == full["comparisons"]
    (comparison,) = lora["comparisons"]
    assert [run["method"] for run in comparison["runs"]] == ["lora", "full"]
    assert [row["name"] for row in comparison["matrices"]] == [
        row["name"] for row in lora["matrices"]
    ]
    overall = comparison["summary"]["overall"]["measures"]
    assert overall.keys() == {"mask_jaccard", "cosine", "overlap_left", "overlap_right"}
    assert all(measured["null"] is not None for measured in overall.values())


def test_the_cosine_is_that_of_the_weights_on_disk(runs: tuple[Path, Path], analyzed: Done) -> None:
    lora, full = (load_file(run / "adapter" / "state.safetensors") for run in runs)
    name = "model.layers.0.mlp.up_proj"
    a, b = (lora[f"base_model.model.{name}.lora_{half}.default.weight"] for half in "AB")
    base = load_base(resolve({}).model).model.state_dict()[f"{name}.weight"]
    updates = (b @ a).flatten(), (full[f"{name}.weight"] - base).flatten()
    expected = float(torch.cosine_similarity(*updates, dim=0))
    rows = {row["name"]: row for row in read(runs[0])["comparisons"][0]["matrices"]}
    found = rows[f"{name}.weight"]["measures"]["cosine"]["value"]
    assert found == pytest.approx(expected, abs=1e-3)


def test_json_prints_what_the_file_holds_and_drops_comparisons_that_were_not_asked_for(
    runs: tuple[Path, Path], analyzed: Done, tmp_path: Path
) -> None:
    run = tmp_path / "lora"
    shutil.copytree(runs[0], run)
    done = analyze(run, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [read(run)]
    before, after = read(runs[0]), read(run)
    assert after["comparisons"] == []
    assert after["matrices"] == before["matrices"]


def test_a_weight_that_did_not_move_is_said_to_be_unchanged(tmp_path: Path) -> None:
    # Without a gradient LoRA's B stays at zero, hence the update too.
    run = train(tmp_path / "still", "method.name=lora", "method.learning_rate=1e-30")
    done = analyze(run)
    assert done.returncode == 0, done.stderr
    assert "28 of 28 weights are unchanged" in done.stdout
    geometry = read(run)
    assert all(row["unchanged"] for row in geometry["matrices"])
    assert geometry["summary"]["overall"]["measures"]["stable_rank"]["value"] is None


def test_vectors_have_only_the_measures_of_entries(tmp_path: Path) -> None:
    run = train(tmp_path / "ln", "method.name=ln-tuning")
    assert analyze(run).returncode == 0
    for row in read(run)["matrices"]:
        assert len(row["shape"]) == 1
        assert "spectral_shift" not in row["measures"]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    assert_refused(analyze(tmp_path), "no run")


def test_a_folder_of_runs_is_analyzed_at_once_without_those_that_are_not_finished(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    for run in runs:
        shutil.copytree(run, tmp_path / "store" / run.name, ignore=_checkpoints)
    for copy in range(3):
        shutil.copytree(runs[0], tmp_path / "store" / f"copy-{copy}", ignore=_checkpoints)
    start_trial(resolve(override({}, SMALL)), tmp_path / "store" / "begun")
    done = analyze(tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert "5 runs; their modules" in done.stdout
    for run in runs:
        folder = tmp_path / "store" / run.name
        assert len(read(folder)["comparisons"]) == 4
        assert (folder / "figures" / "energy.svg").is_file()
    assert not (tmp_path / "store" / "begun" / "geometry.json").exists()


def _checkpoints(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "checkpoints"]


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    start_trial(resolve(override({}, SMALL)), tmp_path / "run")
    assert_refused(analyze(tmp_path / "run"), "not trained to its end", "--resume")
    assert not (tmp_path / "run" / "geometry.json").exists()


def test_a_folder_without_a_finished_run_is_refused(tmp_path: Path) -> None:
    start_trial(resolve(override({}, SMALL)), tmp_path / "store" / "begun")
    assert_refused(analyze(tmp_path / "store"), "is trained to its end")


def test_a_run_given_twice_is_refused(runs: tuple[Path, Path]) -> None:
    assert_refused(analyze(runs[0], runs[0].parent / "." / runs[0].name), "given twice")


def test_runs_of_different_bases_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(runs[0], other)
    text = (other / "trial.toml").read_text()
    (other / "trial.toml").write_text(text.replace('"float32"', '"bfloat16"'))
    assert_refused(analyze(runs[0], other), "different base models")


def test_a_run_whose_base_has_changed_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(runs[0], other)
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps(manifest | {"base_sha256": "0" * 64}))
    assert_refused(analyze(other), "other weights")
