"""Watching a study from its folder, whatever becomes of the folder meanwhile."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from verirank.cli.tables import Watch, render
from verirank.config import to_toml
from verirank.record import Run, write_file, write_json, write_trial_list
from verirank.study import Store, StudyStatus, TrialStatus, make_study, study_status
from verirank.study.executors import StallClock
from verirank.trial import trial_entry


def test_a_record_that_the_file_system_will_not_give_is_told_once_and_ends_nothing(
    tmp_path: Path, begun_trials: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = begun_trials[0].folder / "manifest.json"
    manifest.unlink()
    manifest.mkdir()  # no file, which no read gets past
    watch = Watch(tmp_path / "out")
    assert watch.refresh() is None
    assert watch.refresh() is None
    assert capsys.readouterr().err.count("Is a directory") == 1


def test_a_run_whose_folder_cannot_be_looked_at_has_written_nothing() -> None:
    clock = StallClock(0.0)
    unseen = Path("x" * 300)  # longer than a name may be
    assert not clock.stalls(unseen)
    assert clock.stalls(unseen)


def look(watch: Watch) -> None:
    while watch.refresh() is None:
        time.sleep(0.01)


@pytest.mark.parametrize("seen_running", [True, False])
def test_a_trial_that_failed_and_is_run_again_is_told_as_done_and_counted_once(
    tmp_path: Path,
    begun_trials: list[Run],
    capsys: pytest.CaptureFixture[str],
    seen_running: bool,
) -> None:
    again, other = begun_trials
    again.update_manifest(status="failed", error="no memory")
    with Watch(tmp_path / "out") as watch:
        look(watch)
        look(watch)
        if seen_running:
            with again.locked():
                again.update_manifest(status="running", error=None)
                look(watch)
        again.update_manifest(status="done", error=None)
        look(watch)
        other.update_manifest(status="done")
    assert capsys.readouterr().out.splitlines() == [
        f"[1/2] {again.folder.name}: failed (no memory)",
        *([f"{again.folder.name}: running"] if seen_running else []),
        f"[1/2] {again.folder.name}: done",
        f"[2/2] {other.folder.name}: done",
    ]


def test_a_trial_that_is_done_is_told_with_its_score_and_seconds(
    tmp_path: Path, begun_trials: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = begun_trials
    scores = {"test": {"avg_at_k": 0.5}, "ood": {"avg_at_k": 0.32}}
    write_json(one.folder / "eval.json", scores)
    one.update_manifest(status="done", seconds=6.0, seconds_evaluate=2.0)
    other.update_manifest(status="failed", error="diverged")
    with Watch(tmp_path / "out") as watch:
        look(watch)
    assert capsys.readouterr().out.splitlines() == [
        f"[1/2] {one.folder.name}: done, 41.0 %, 8 s",
        f"[2/2] {other.folder.name}: failed (diverged)",
    ]


def test_arms_of_one_method_are_told_apart_by_their_axes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = {"method.rank": [4, 8], "algorithm.name": ["grpo"]}
    study = make_study({"name": "s", "preset": "quickstart", "methods": ["lora"], "axes": axes})
    store, out = Store(tmp_path / "store"), tmp_path / "out"
    entries = []
    for trial in (arm.trial(0) for arm in study.arms()):
        store.start(trial, store.trial(trial))
        Run(store.trial(trial)).update_manifest(status="done")
        entries.append(trial_entry(trial, "ranked", store.trial(trial).name))
    write_file(out / "study.toml", to_toml(study))
    write_trial_list(out, store.folder, entries)
    console = Console(width=200)
    with console.capture() as printed:
        console.print(render(study_status(out)))
    assert "rank 8" in printed.get()
    with Watch(out) as watch:
        look(watch)
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith(f"{entries[0].id}: done")
    assert last.endswith(f"{entries[1].id} (rank 8): done")


def test_every_trial_is_named_in_a_terminal_of_80_columns() -> None:
    trials = tuple(
        TrialStatus(
            id=f"lora-plus-seed{seed}-2a0ecd7af6",
            role="ranked",
            method="lora-plus",
            seed=seed,
            learning_rate=3.3e-4,
            state="running",
            step=10,
            steps=200,
            rewards=(0.3,) * 30,
            error=None,
            axes={"method.rank": 4 * (seed + 1)},
        )
        for seed in range(3)
    )
    console = Console(width=80, record=True, file=StringIO())
    console.print(render(StudyStatus("s", "single", trials, 100.0, True), console.width))
    shown = console.export_text()
    for trial in trials:
        (line,) = [line for line in shown.splitlines() if trial.id in line]
        assert f"rank {4 * (trial.seed + 1)} " in line or trial.seed == 0
        assert "0.00033  running  10/200" in line and " 0.30" in line
    assert "…" not in shown
