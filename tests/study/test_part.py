"""A study in parts, as the tasks of a Slurm array run it: one store, then one run that ranks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from study_scores import scores

from verirank.config import InputError, to_toml
from verirank.study import Study, read_study, run_study

SCRIPT = Path(__file__).parents[2] / "deploy" / "slurm-array.sh"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Slurm runs on Linux")


def test_the_tasks_of_an_array_train_all_arms_and_one_run_ranks_them(
    tmp_path: Path, finished: Path, small_study: Callable[..., Study]
) -> None:
    (tmp_path / "study.toml").write_text(to_toml(small_study("ia3", "ln-tuning")))
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    tasks = [
        subprocess.Popen(
            ["bash", str(SCRIPT), "study.toml", str(tmp_path / "shared"), "2"],
            cwd=tmp_path,
            env=os.environ
            | {"SLURM_ARRAY_TASK_ID": str(task), "PATH": programs, "OMP_NUM_THREADS": "1"},
        )
        for task in (1, 2)
    ]
    assert [task.wait() for task in tasks] == [0, 0]
    trials = sorted((tmp_path / "shared" / "trials").glob("*-seed0-*"))
    assert [trial.name.split("-seed")[0] for trial in trials] == ["ia3", "ln-tuning"]
    before = [(trial / "manifest.json").read_bytes() for trial in trials]

    study = read_study(tmp_path / "study.toml")
    outcomes = run_study(study, tmp_path / "ranked", store=tmp_path / "shared" / "trials")
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert [(trial / "manifest.json").read_bytes() for trial in trials] == before
    assert scores(tmp_path / "ranked") == scores(finished)


@pytest.mark.parametrize("part", [(0, 2), (3, 2), (1, 3)])
def test_a_part_that_the_arms_cannot_give_is_refused(
    tmp_path: Path, small_study: Callable[..., Study], part: tuple[int, int]
) -> None:
    with pytest.raises(InputError, match="no more parts than arms"):
        run_study(small_study("ia3", "ln-tuning"), tmp_path / "s", part=part)
    assert not (tmp_path / "s").exists()


def test_parts_of_equal_time_need_the_steps_in_the_study(
    tmp_path: Path, small_study: Callable[..., Study]
) -> None:
    timed = small_study("lora", "ia3", match="time")
    with pytest.raises(InputError, match=r"\[steps\]"):
        run_study(timed, tmp_path / "s", part=(1, 2))


def test_a_race_has_no_parts(tmp_path: Path, small_study: Callable[..., Study]) -> None:
    race = small_study("ia3", "ln-tuning", protocol="race", race={"search": False})
    with pytest.raises(InputError, match="it has no parts"):
        run_study(race, tmp_path / "s", part=(1, 2))
