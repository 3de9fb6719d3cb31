"""One reading of a trial's folder decides what a study runs, plans and reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from verirank.config import TrialConfig
from verirank.record import DamagedError, Run
from verirank.study import Store, Study, plan_study, read_state
from verirank.trial import Rung, record_failure

Make = Callable[..., Study]


@pytest.fixture
def trial(small_study: Make) -> TrialConfig:
    return small_study("ia3").arms()[0].trial(0)


@pytest.fixture
def run(tmp_path: Path, trial: TrialConfig) -> Run:
    return Run.create(tmp_path / "trials" / "run", trial)


def test_a_trial_without_a_folder_waits(tmp_path: Path) -> None:
    stands = read_state(Run(tmp_path / "absent"))
    assert (stands.state, stands.has_ended, stands.step(4)) == ("waiting", False, 0)


def test_a_run_that_nobody_writes_is_interrupted_once_it_has_a_step(run: Run) -> None:
    assert read_state(run).state == "waiting"
    (run.folder / "metrics.jsonl").write_text('{"step": 3}\n')
    assert read_state(run).state == "interrupted"
    with run.locked():
        assert read_state(run).state == "running"
    assert read_state(run).step(4) == 3


def test_a_trial_that_is_done_has_all_its_steps_and_scores(run: Run) -> None:
    run.update_manifest(status="done")
    stands = read_state(run)
    assert stands.has_ended and stands.step(4) == 4
    assert stands.reached(None) and not stands.reached(Rung(2, "selection"))


def test_a_trial_reaches_the_rungs_that_it_was_scored_at(run: Run) -> None:
    (run.folder / "selection.json").write_text('{"2": {"avg_at_k": 0.5}}')
    stands = read_state(run)
    assert stands.reached(Rung(2, "selection"))
    assert not stands.reached(Rung(4, "selection")) and not stands.reached(None)


@pytest.mark.parametrize(("kind", "for_good"), [("diverged", True), ("machine", False)])
def test_only_a_failure_of_its_own_ends_a_trial(run: Run, kind: str, for_good: bool) -> None:
    record_failure(run, "why", kind)  # type: ignore[arg-type]
    stands = read_state(run)
    assert (stands.state, stands.error) == ("failed", "why")
    assert stands.has_ended is stands.failed_for_good is for_good


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("manifest.json", "{"),
        ("manifest.json", "[]"),
        ("manifest.json", "{}"),
        ("manifest.json", '{"status": "done"}'),
        ("metrics.jsonl", "no json\n"),
        ("selection.json", "{"),
        ("selection.json", "[]"),
    ],
)
def test_a_damaged_file_fails_a_trial_until_its_folder_is_gone(
    run: Run, file: str, content: str
) -> None:
    (run.folder / file).write_text(content)
    stands = read_state(run)
    assert stands.is_damaged and stands.state == "failed" and not stands.has_ended
    assert file in (stands.error or "")


def test_a_run_without_its_settings_is_damaged(run: Run) -> None:
    (run.folder / "trial.toml").unlink()
    with pytest.raises(DamagedError, match=r"lacks trial\.toml"):
        Run.open(run.folder)


def test_a_plan_owes_a_damaged_trial(tmp_path: Path, small_study: Make) -> None:
    study, store = small_study("ia3"), Store(tmp_path)
    config = study.arms()[0].trial(0)
    store.start(config, store.trial(config))
    (store.trial(config) / "manifest.json").write_text("[]")
    (planned,) = plan_study(study, store=tmp_path, probe=False).trials
    assert (planned.state, planned.ended) == ("failed", False)
