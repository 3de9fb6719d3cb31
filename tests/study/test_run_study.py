"""Real studies of real trials: run, killed, stopped, hung, resumed, and shared."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from study_scores import scores

from command_line import start
from verirank.cli.study_command import command
from verirank.config import InputError, TrialConfig, to_toml
from verirank.ranking import arm_costs, build_leaderboard
from verirank.record import Run, step_seconds, write_file, write_trial_list
from verirank.report import write_report
from verirank.study import (
    LocalExecutor,
    Store,
    Study,
    open_study,
    plan_study,
    resume_study,
    run_study,
    study_status,
    with_equal_time,
)
from verirank.study.executors import Capacity, planned_bytes
from verirank.trial import trial_entry

STUDIES = Path(__file__).parents[2] / "studies"
Make = Callable[..., Study]
pytestmark = pytest.mark.slow


def workers() -> list[psutil.Process]:
    """The trials' processes: children of the fork server that have a run open."""
    servers = [p for p in psutil.Process().children() if "forkserver" in " ".join(p.cmdline())]
    return [child for server in servers for child in server.children()]


class WhenBothTrain:
    """Acts once, when both trials of a study have taken two steps."""

    def __init__(self, out: Path, act: Callable[[], None]) -> None:
        self._out, self._act = out, act
        self.has_acted = False

    def __call__(self) -> None:
        files = list(self._out.glob("trials/*/metrics.jsonl"))
        if (
            not self.has_acted
            and len(files) == 2
            and all(f.read_text().count("\n") > 1 for f in files)
        ):
            self.has_acted = True
            self._act()


def test_a_study_ranks_its_trials_and_one_that_is_finished_does_nothing(
    tmp_path: Path, finished: Path, small_study: Make
) -> None:
    board = write_report([finished], tmp_path / "report")
    assert {row.method for row in board.rows} == {"ia3", "ln-tuning"}
    trials = finished / "trials"
    before = {f: f.stat().st_mtime_ns for f in trials.rglob("*") if f.is_file()}
    resume_study(finished)
    assert {f: f.stat().st_mtime_ns for f in trials.rglob("*") if f.is_file()} == before
    assert study_status(finished).count("done") == 2
    plan = plan_study(open_study(finished), out=finished, probe=False)
    assert plan.totals() == {
        "total": 2, "done": 2, "failed": 0,
        "core_seconds_left": 0, "wall_seconds_left": 0, "gpu_seconds_left": 0,
    }  # fmt: skip
    with pytest.raises(InputError, match="another study"):
        run_study(small_study("lora"), finished)


def test_one_process_and_two_give_the_same_bits(
    tmp_path: Path, long_study: Study, undisturbed: dict[str, str]
) -> None:
    run_study(long_study, tmp_path / "s", executor=LocalExecutor(1))
    assert scores(tmp_path / "s") == undisturbed


def test_studies_share_the_trials_of_a_store(
    tmp_path: Path, finished: Path, small_study: Make
) -> None:
    trials = finished / "trials"
    before = {f: f.stat().st_mtime_ns for f in trials.rglob("*") if f.is_file()}
    wider, out = small_study("ia3", "ln-tuning", name="wider"), tmp_path / "wider"
    assert [o.error for o in run_study(wider, out, store=trials)] == [None, None]
    assert {f: f.stat().st_mtime_ns for f in trials.rglob("*") if f.is_file()} == before
    assert {row.method for row in build_leaderboard([out]).rows} == {"ia3", "ln-tuning"}


def test_a_study_keeps_the_store_that_it_was_begun_with(tmp_path: Path, small_study: Make) -> None:
    study, out = small_study("lora"), tmp_path / "s"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is no folder; choose another --store"):
        run_study(study, out, store=tmp_path / "file")
    assert not out.exists()
    run_study(study, out, store=tmp_path / "store")
    with pytest.raises(InputError, match="was begun with its trials in"):
        run_study(study, out, store=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    run_study(study, out, store=tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "moved")
    for store in (tmp_path / "moved", None):
        with pytest.raises(InputError, match="store, which is not there; bring it back"):
            run_study(study, out, store=store)
    for ask in (study_status, lambda folder: build_leaderboard([folder])):
        with pytest.raises(InputError, match="store, which is not there; bring it back"):
            ask(out)
    assert not (tmp_path / "store").exists()


def test_the_time_left_counts_steps_and_scores_of_what_is_left(
    tmp_path: Path, small_study: Make
) -> None:
    study, out = small_study("lora", "ia3", steps=4, seeds=[0, 1, 2]), tmp_path / "s"
    store, arms = Store(out / "trials"), study.arms()
    trials = [arm.trial(seed) for arm in arms for seed in study.seeds]
    entries = [trial_entry(t, "ranked", store.name_of(store.trial(t))) for t in trials]
    write_trial_list(out, store.folder, entries)
    write_file(out / "study.toml", to_toml(study))
    for arm, seconds in zip(arms, (8.0, 4.0), strict=True):
        store.start(arm.trial(0), store.trial(arm.trial(0)))
        run = Run(store.trial(arm.trial(0)))
        run.update_manifest(status="done", seconds=seconds, seconds_evaluate=5.0)
    assert study_status(out).eta_seconds == pytest.approx(2 * (8.0 + 4.0) + 4 * 5.0)


def test_a_slot_reserves_what_is_planned_until_a_trial_has_ended(
    tmp_path: Path, small_study: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study("lora", steps=2, seeds=[0, 1, 2])
    planned, given_out = (
        planned_bytes(study.arms()[0].settings, on_gpu=False),
        list[tuple[int, int]](),
    )
    slot = Capacity.slot

    def watched(self: Capacity, trial: TrialConfig, taken: Any, avoid: Any) -> Any:
        given = slot(self, trial, taken, avoid)
        if given:
            given_out.append((self.largest, given.memory))
        return given

    monkeypatch.setattr(Capacity, "slot", watched)
    outcomes = run_study(study, tmp_path / "s", executor=LocalExecutor(2))
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert [memory for largest, memory in given_out if not largest] >= [planned, planned]
    largest, kept = given_out[2]
    assert len(given_out) == 3 and largest > 0
    assert kept == max(largest, planned_bytes(study.arms()[0].settings, on_gpu=False))


def test_the_fair_protocol_searches_then_ranks_fresh_seeds(
    tmp_path: Path, small_study: Make
) -> None:
    study = small_study(
        "ia3",
        steps=4,
        protocol="fair",
        seeds=[0, 1, 2],
        search={"learning_rates": 2, "rungs": [0.5], "seeds": [7, 8]},
    )
    out = tmp_path / "s"
    run_study(study, out)
    status = study_status(out)
    assert status.count("done") == 3
    assert status.count("searched") == 4
    (row,) = build_leaderboard([out]).rows
    assert row.seeds == 3
    (line,) = json.loads((out / "search.json").read_text())["arms"]
    assert row.learning_rate == line["winner"]
    spent = arm_costs(build_leaderboard([out]).arms, [out])["ia3"]
    searched = [Run(out / "trials" / "search" / trial["folder"]) for trial in line["trials"]]
    seconds = sum(step_seconds(step) for run in searched for step in run.metrics())
    assert spent.search is not None and spent.search.seconds > seconds > 0
    # One that is killed once it has its score, and has not said so, has ended all the same.
    for run in searched:
        run.update_manifest(status="running")
    again = study_status(out)
    assert [trial.state for trial in again.trials] == [trial.state for trial in status.trials]
    assert [trial.score is None for trial in again.trials] == [False] * 7


def test_methods_train_for_as_long_as_lora_by_the_steps_that_the_study_keeps(
    tmp_path: Path, small_study: Make
) -> None:
    study, out = small_study("lora", "ia3", steps=4, match="time"), tmp_path / "s"
    assert [outcome.error for outcome in run_study(study, out)] == [None, None]
    steps = open_study(out).steps
    assert steps["lora"] == 4 and steps["ia3"] > 0
    runs = [Run(path.parent) for path in out.glob("trials/*/manifest.json")]
    assert {run.method: len(run.metrics()) for run in runs} == steps
    # Neither going on nor asking anew measures again, which would find other steps.
    assert with_equal_time(study, out).steps == steps
    before = scores(out)
    run_study(study, out)
    assert scores(out) == before and len(list(out.glob("trials/*/manifest.json"))) == 2


def test_an_evaluation_that_is_cut_off_keeps_the_benches_it_has(
    tmp_path: Path, small_study: Make
) -> None:
    evaluation = {"benches": ["test", "ood"], "problems": 100, "samples": 8}
    trial = small_study("ia3", steps=1).trial | {"evaluation": evaluation}
    out, written = tmp_path / "s", list[int]()

    def kill_between_benches() -> None:
        for first in out.glob("trials/ia3-*/eval/test.parquet"):
            if not written and not (first.parent / "ood.parquet").is_file():
                written.append(first.stat().st_mtime_ns)
                workers()[0].kill()

    (outcome,) = run_study(
        small_study("ia3", trial=trial),
        out,
        executor=LocalExecutor(1),
        on_poll=kill_between_benches,
    )
    assert outcome.error is None
    assert written == [(outcome.folder / "eval" / "test.parquet").stat().st_mtime_ns]
    assert set(Run(outcome.folder).scores) == {"test", "ood"}


def test_the_base_is_sampled_once_for_all_trials(finished: Path) -> None:
    assert len(list(finished.glob("trials/base/*/test.parquet"))) == 1
    assert not list(finished.glob("trials/*/eval/base"))


def test_other_weights_fail_every_trial_until_the_first_are_back(
    tmp_path: Path, finished: Path, small_study: Make
) -> None:
    (known,) = (finished / "trials" / "base").glob("*.json")
    known.write_text(json.dumps({"model": "micro", "sha256": "0" * 64}))
    (again,) = run_study(small_study("miss"), tmp_path / "t", store=finished / "trials")
    assert again.error is not None and "other weights" in again.error
    known.unlink()
    assert [o.error for o in resume_study(tmp_path / "t")] == [None]


def test_a_damaged_record_is_named_and_the_others_go_on(finished: Path) -> None:
    damaged, whole = sorted(path.parent for path in finished.glob("trials/*/manifest.json"))
    (damaged / "manifest.json").write_text("{")
    shutil.rmtree(whole)
    by_id = {trial.id: trial for trial in study_status(finished).trials}
    assert by_id[damaged.name].state == "failed" and by_id[whole.name].state == "waiting"
    assert "manifest.json" in (by_id[damaged.name].error or "")
    planned = plan_study(open_study(finished), out=finished, probe=False).totals()
    assert (planned["total"], planned["done"]) == (2, 0)
    outcomes = {outcome.folder: outcome.error for outcome in resume_study(finished)}
    assert "without its folder it is trained again" in (outcomes[damaged] or "")
    assert outcomes[whole] is None
    shutil.rmtree(damaged)
    assert [outcome.error for outcome in resume_study(finished)] == [None, None]


def test_a_damaged_configuration_fails_its_own_trial_alone(finished: Path) -> None:
    damaged, whole = sorted(path.parent for path in finished.glob("trials/*/manifest.json"))
    Run(damaged).update_manifest(status="running")
    (damaged / "trial.toml").write_text("{")
    shutil.rmtree(whole)
    outcomes = {outcome.folder: outcome.error for outcome in resume_study(finished)}
    assert "cannot read the run" in (outcomes[damaged] or "")
    assert outcomes[whole] is None


def test_other_problems_fail_every_trial_until_the_first_are_back(
    tmp_path: Path, small_study: Make
) -> None:
    file, out = tmp_path / "sums.jsonl", tmp_path / "s"
    rows = [{"id": f"{n}", "problem": f"{n}+7=", "answer": f"{n + 7}"} for n in range(10, 40)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    trial = small_study("ia3").trial | {"task": {"name": str(file)}}
    assert [o.error for o in run_study(small_study("ia3", trial=trial), out)] == [None]
    file.write_text("".join(json.dumps(row | {"answer": "1"}) + "\n" for row in rows))
    more = small_study("ln-tuning", trial=trial)
    (again,) = run_study(more, tmp_path / "t", store=out / "trials")
    assert again.error is not None and "other problems" in again.error
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [o.error for o in resume_study(tmp_path / "t")] == [None]


def test_a_killed_worker_goes_on_from_its_checkpoint(
    tmp_path: Path, long_study: Study, undisturbed: dict[str, str]
) -> None:
    out = tmp_path / "s"
    kill = WhenBothTrain(out, lambda: workers()[0].kill())
    outcomes = run_study(long_study, out, executor=LocalExecutor(2), on_poll=kill)
    assert kill.has_acted
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert scores(out) == undisturbed


def test_trials_whose_fork_server_is_killed_are_begun_again(
    tmp_path: Path, long_study: Study, undisturbed: dict[str, str]
) -> None:
    out = tmp_path / "killed"

    def kill_the_server() -> None:
        children = psutil.Process().children()
        next(p for p in children if "forkserver" in " ".join(p.cmdline())).kill()

    kill = WhenBothTrain(out, kill_the_server)
    outcomes = run_study(long_study, out, executor=LocalExecutor(2), on_poll=kill)
    assert kill.has_acted
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert scores(out) == undisturbed


def test_a_hung_trial_is_killed_told_and_run_again_when_resumed(
    tmp_path: Path, long_study: Study
) -> None:
    out = tmp_path / "s"
    hang = WhenBothTrain(out, lambda: workers()[0].suspend())
    outcomes = run_study(long_study, out, executor=LocalExecutor(2, stall_seconds=15), on_poll=hang)
    assert hang.has_acted
    assert sum(outcome.error is None for outcome in outcomes) == 1
    (error,) = [outcome.error for outcome in outcomes if outcome.error]
    assert "hung" in error
    assert study_status(out).count("failed") == 1
    assert [o.error for o in resume_study(out)] == [None, None]


def test_a_trial_that_diverges_fails_alone_and_is_not_run_again(
    tmp_path: Path, small_study: Make
) -> None:
    study = small_study("full", "lora", steps=4, axes={"method.learning_rate": [1e-3, 1e30]})
    out = tmp_path / "s"
    outcomes = run_study(study, out)
    failed = [outcome for outcome in outcomes if outcome.error]
    assert 1 <= len(failed) < 4
    status = study_status(out)
    broken = [trial for trial in status.trials if trial.state == "failed"]
    assert all(trial.error and trial.last_lines for trial in broken)
    assert all("diverged: " in str(outcome.error) for outcome in failed)
    assert len(build_leaderboard([out]).not_scored) == len(failed)
    plan = plan_study(study, out=out)
    totals = plan.totals()
    assert (totals["done"], totals["failed"]) == (4 - len(failed), len(failed))
    assert totals["core_seconds_left"] == 0, "nobody goes on with what failed for good"
    began = time.perf_counter()
    assert [o.error for o in resume_study(out)] == [o.error for o in outcomes]
    assert time.perf_counter() - began < 2


def test_a_full_disk_ends_no_study(tmp_path: Path, small_study: Make) -> None:
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=9m", "none", str(mount)], capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        study = small_study("ia3", "full", steps=3)
        out = mount / "s"
        outcomes = run_study(study, out)
        assert any("No space" in str(outcome.error) for outcome in outcomes)
        subprocess.run(["mount", "-o", "remount,size=90m", str(mount)], check=True)
        assert [o.error for o in resume_study(out)] == [None, None]
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_disk_too_full_to_begin_a_study_is_told_with_how_it_goes_on(tmp_path: Path) -> None:
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24k", "none", str(tmp_path)], capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        arguments = ["run", str(STUDIES / "smoke.toml"), "--out", str(tmp_path / "s")]
        done = CliRunner().invoke(command, arguments)
        assert done.exit_code == 1
        assert "the disk is full" in done.output
        assert f"verirank study resume {tmp_path / 's'}" in done.output
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_two_studies_at_one_folder_are_refused(tmp_path: Path, small_study: Make) -> None:
    study = small_study("lora", steps=4)
    out = tmp_path / "s"
    thread = Thread(target=run_study, args=(study, out))
    thread.start()
    while not (out / "trials.json").is_file():
        time.sleep(0.05)
    with pytest.raises(InputError, match="another process is running"):
        run_study(study, out)
    assert study_status(out).is_run and not study_status(out).has_ended
    thread.join()
    assert study_status(out).has_ended


def test_kill_9_of_the_study_costs_nothing_that_was_checkpointed(
    tmp_path: Path, long_study: Study, undisturbed: dict[str, str]
) -> None:
    out = tmp_path / "s"
    file = tmp_path / "study.toml"
    file.write_text(to_toml(long_study))
    process = start("study", "run", file, "--out", out)
    files: list[Path] = []
    while len(files) < 2 or not all(f.read_text().count("\n") > 1 for f in files):
        files = list(out.glob("trials/*/metrics.jsonl"))
        time.sleep(0.05)
    process.send(signal.SIGKILL)
    process.wait()
    assert [o.error for o in resume_study(out)] == [None, None]
    assert scores(out) == undisturbed


def test_a_bench_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, small_study: Make
) -> None:
    study = small_study("lora", trial={"evaluation": {"benches": ["tets"]}})
    with pytest.raises(InputError, match="no bench 'tets'"):
        run_study(study, tmp_path / "s")
    assert not (tmp_path / "s").exists()
    fair = {"protocol": "fair", "seeds": [0, 1, 2], "search": {"bench": "test"}}
    with pytest.raises(InputError, match="one of the benches that are ranked"):
        run_study(small_study("lora", **fair), tmp_path / "s")


def test_what_a_kill_leaves_of_a_run_being_created_stands_in_nobodys_way(
    tmp_path: Path, small_study: Make
) -> None:
    study = small_study("ia3")
    out = tmp_path / "s"
    (arm,) = study.arms()
    folder = Store(tmp_path / "store").trial(arm.trial(0))
    for left in (".manifest.json.7.partial", ".x.7.partial/manifest.json"):
        half = folder.parent / f".{folder.name}.7.partial" / left
        half.parent.mkdir(parents=True, exist_ok=True)
        half.write_text("{")
    assert [o.error for o in run_study(study, out, store=tmp_path / "store")] == [None]
    write_report([tmp_path / "store"], out)


def test_a_study_stays_what_it_is_when_its_preset_changes(
    tmp_path: Path, small_study: Make
) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text("[training]\nsteps = 2\n[evaluation]\nproblems = 8\nsamples = 2\n")
    study = small_study("ia3", preset=str(preset), trial={})
    run_study(study, tmp_path / "s")
    preset.write_text("[training]\nsteps = 3\n[evaluation]\nproblems = 8\nsamples = 2\n")
    assert open_study(tmp_path / "s").arms()[0].steps == 2
    with pytest.raises(InputError, match=r"another study, which differs in trial\.training\.steps"):
        run_study(study, tmp_path / "s")


def test_a_trial_computes_on_as_many_threads_as_it_is_given(
    tmp_path: Path, small_study: Make
) -> None:
    (outcome,) = run_study(
        small_study("ia3", steps=1), tmp_path / "s", executor=LocalExecutor(1, threads=2)
    )
    manifest = json.loads((outcome.folder / "manifest.json").read_text())
    assert (manifest["status"], manifest["threads"]) == ("done", 2)
