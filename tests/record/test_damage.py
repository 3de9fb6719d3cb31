"""Files that were damaged or edited after they were written: noticed, named, survived."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import verirank
from verirank.config import InputError, ModelConfig, resolve
from verirank.methods import load_policy
from verirank.models import BaseModel, load_base
from verirank.record import (
    DamagedError,
    Run,
    execute_as,
    expect_sums,
    expect_unedited,
    newest_checkpoint,
    read_parquet,
    write_sums,
)
from verirank.trial import run_trial, start_trial

Damage = Callable[[Path], None]
SETTINGS = {
    "method": {"name": "pissa"},
    "sampling": {"problems_per_step": 2, "group_size": 2},
    "training": {"steps": 4},
    "checkpoint": {"every": 1, "keep": 3},
    "evaluation": {"problems": 4, "samples": 2},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was stopped after its third step, with three checkpoints."""
    folder = tmp_path_factory.mktemp("damage") / "run"
    run, config = start_trial(resolve(SETTINGS), folder), resolve(SETTINGS)

    def stop(step: object) -> None:
        if len(run.metrics()) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(run, load_base(config.model), on_step=stop)
    return folder


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(ModelConfig())


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Run:
    return Run.open(Path(shutil.copytree(whole, tmp_path / "run")))


def _numbers(run: Run) -> list[float]:
    """Return the rewards and the changes of the weights of all steps."""
    return [line[key] for line in run.metrics() for key in ("reward_mean", "delta_norm")]


def _flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


@pytest.mark.parametrize("damage", [_flip_a_bit, _cut_off, Path.unlink])
@pytest.mark.parametrize("name", ["policy.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(
    run: Run, name: str, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    *_, before, newest = run.checkpoints()
    damage(newest / name)
    assert newest_checkpoint(run) == before
    assert [record.message.count("set aside") for record in caplog.records] == [1]
    assert (newest.parent / f"damaged-{newest.name}").is_dir()


def test_a_run_with_a_damaged_checkpoint_ends_with_the_numbers_of_a_whole_one(
    run: Run, tmp_path: Path
) -> None:
    base = load_base(run.config.model)
    _flip_a_bit(run.checkpoints()[-1] / "optimizer.safetensors")
    undisturbed = start_trial(run.config, tmp_path / "undisturbed")
    for either in (run, undisturbed):
        run_trial(either, base)
    assert _numbers(run) == _numbers(undisturbed)


def test_an_edited_counter_in_a_checkpoint_is_damage(run: Run) -> None:
    state = run.checkpoints()[-1] / "state.json"
    content = json.loads(state.read_text())
    state.write_text(json.dumps(content | {"problems_drawn": content["problems_drawn"] + 1}))
    assert newest_checkpoint(run) == run.checkpoints()[-1] != state.parent


@pytest.mark.parametrize("change", ["", "seed = 5\n", "[training]\nsteps = 60\n"])
def test_a_run_whose_settings_were_edited_is_not_resumed(run: Run, change: str) -> None:
    (run.folder / "trial.toml").write_text(change)
    done = verirank("train", "--resume", run.folder)
    assert done.returncode == 2
    assert "trial.toml was edited since the run began" in done.stderr


def test_how_a_run_is_executed_may_change_when_it_is_resumed(run: Run) -> None:
    execute_as(run, resolve({**SETTINGS, "checkpoint": {"every": 3}}))
    assert Run.open(run.folder).config.checkpoint.every == 3
    expect_unedited(run)


def test_what_is_trained_may_not_change_when_a_run_is_resumed(run: Run) -> None:
    done = verirank("train", "--resume", run.folder, "--set", "training.steps=9")
    assert done.returncode == 2
    assert "other settings of training" in done.stderr


@pytest.mark.parametrize("name", ["policy.json", "state.safetensors", "initial.safetensors"])
@pytest.mark.parametrize("damage", [_flip_a_bit, _cut_off, Path.unlink])
def test_a_damaged_policy_is_refused_by_name(
    run: Run, base: BaseModel, name: str, damage: Damage
) -> None:
    damage(run.folder / "init" / name)
    with pytest.raises(DamagedError, match="damaged"):
        load_policy(base, run.folder / "init")


def test_sums_are_those_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    write_sums(tmp_path)
    expect_sums(tmp_path)
    assert (tmp_path / ".SHA256SUMS").read_text() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  empty\n"
    )


@pytest.mark.parametrize("damage", [_flip_a_bit, _cut_off])
def test_samples_with_a_flipped_bit_or_no_end_are_refused_by_name(run: Run, damage: Damage) -> None:
    samples = run.folder / "eval" / "base" / "test.parquet"
    assert read_parquet(samples).num_rows
    damage(samples)
    with pytest.raises(InputError, match=r"test\.parquet is damaged"):
        read_parquet(samples)
