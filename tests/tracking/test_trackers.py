"""Real trackers, told by a real run that pauses and goes on in another process, and read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from records import Told, of_mlflow, of_tensorboard, of_trackio, of_wandb

from verirank.config import InputError, TrialConfig, override, resolve
from verirank.record import Run
from verirank.tracking import TrackerUnavailableError, tracked
from verirank.trial import trial_id

TRACKERS = ("tensorboard", "wandb", "trackio", "mlflow")
INSTALLED = [name for name in TRACKERS if find_spec(name)]
SETTINGS = [
    "training.steps=4",
    "sampling.problems_per_step=4",
    "evaluation.problems=4",
    "evaluation.samples=2",
]
PAUSE = (
    "import sys; from pathlib import Path; from verirank.record import Run;"
    "from verirank.models import load_base; from verirank.trial import Rung, run_trial;"
    "run = Run.open(Path(sys.argv[1]));"
    "run_trial(run, load_base(run.config.model), rung=Rung(2, 'selection'))"
)
pytestmark = pytest.mark.filterwarnings("ignore")  # what the trackers import warns of much


def installed(*names: str) -> list[pytest.MarkDecorator]:
    missing = [name for name in names if name not in INSTALLED]
    reason = f"{', '.join(missing)} not installed: make trackers"
    return [pytest.mark.skipif(bool(missing), reason=reason)]


def trial(*trackers: str) -> TrialConfig:
    return resolve(override({}, [*SETTINGS, f"machine.trackers={json.dumps(trackers)}"]))


def places(folder: Path) -> dict[str, str]:
    """Return the environment in which every tracker writes below a folder."""
    return {
        "TRACKIO_DIR": str(folder / "trackio"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four steps that was paused after two, told to every installed tracker."""
    folder = tmp_path_factory.mktemp("tracked")
    run = Run.create(folder / "run", trial(*INSTALLED))
    for command in (["-c", PAUSE, run.folder], ["-m", "verirank", "train", "--resume", run.folder]):
        subprocess.run([sys.executable, *command], check=True, env=os.environ | places(folder))
    return run


def told(run: Run, tracker: str) -> Told:
    folder = run.folder.parent
    read: dict[str, Callable[[], Told]] = {
        "tensorboard": lambda: of_tensorboard(run.folder / "trackers" / "tensorboard"),
        "wandb": lambda: of_wandb(run.folder / "trackers" / "wandb"),
        "trackio": lambda: of_trackio(folder / "trackio" / "verirank.db"),
        "mlflow": lambda: of_mlflow(
            places(folder)["MLFLOW_TRACKING_URI"], run.manifest["trackers"]["mlflow"]["run"]
        ),
    }
    return read[tracker]()


@pytest.mark.slow
@pytest.mark.parametrize("tracker", [pytest.param(t, marks=installed(t)) for t in TRACKERS])
def test_a_tracker_is_told_every_number_of_every_step_before_and_after_a_pause(
    run: Run, tracker: str
) -> None:
    found, lines = told(run, tracker), run.metrics()
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    for line in lines:
        numbers = {k: v for k, v in line.items() if k != "step" and v is not None}
        of_step = {k: v for k, v in found[line["step"]].items() if "/" not in k}
        assert of_step == pytest.approx(numbers, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("tracker", [pytest.param(t, marks=installed(t)) for t in TRACKERS])
def test_a_tracker_is_told_the_scores_of_the_selection_and_the_final_ones(
    run: Run, tracker: str
) -> None:
    found = told(run, tracker)
    scores = run.scores["test"]
    for name in ("avg_at_k", "low", "high", "pass_at_k", "base_avg_at_k"):
        assert found[4][f"eval/test/{name}"] == pytest.approx(scores[name], rel=1e-6)
    selected = run.selection["2"]["avg_at_k"]
    assert found[2]["selection/selection/avg_at_k"] == pytest.approx(selected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.skipif("wandb" not in INSTALLED, reason="wandb not installed: make trackers")
def test_a_run_that_goes_on_keeps_its_identity_with_every_tracker(run: Run) -> None:
    known = {name: entry["run"] for name, entry in run.manifest["trackers"].items()}
    parts = sorted((run.folder / "trackers" / "wandb").glob("offline-run-*"))
    assert len(parts) == 2
    assert all(part.name.endswith(known["wandb"]) for part in parts)
    assert not any("failed" in entry for entry in run.manifest["trackers"].values())


def test_trackers_are_no_part_of_a_trials_name() -> None:
    assert trial_id(trial()) == trial_id(trial("wandb", "mlflow"))


def test_a_tracker_that_is_not_installed_ends_in_one_line_before_there_is_a_run(
    tmp_path: Path,
) -> None:
    hidden = "import sys; sys.modules['wandb'] = None; from verirank.cli import main; main()"
    options = ["train", "--tracker", "wandb", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", hidden, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("verirank: tracker 'wandb' is not installed; run: ")
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_nobody_knows_ends_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^machine\.trackers\.0 = 'tensorbord': .*'tensorboard'"):
        trial("tensorbord")


@pytest.mark.skipif("mlflow" not in INSTALLED, reason="mlflow not installed: make trackers")
def test_a_tracker_that_cannot_be_opened_ends_in_one_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://at-all")
    run = Run.create(tmp_path / "run", trial("mlflow"))
    with pytest.raises(TrackerUnavailableError, match=r"^tracker 'mlflow' cannot be opened: \w+: "):
        tracked(run).__enter__()


@pytest.mark.skipif("wandb" not in INSTALLED, reason="wandb not installed: make trackers")
def test_a_tracker_that_fails_on_the_way_is_left_out_told_and_recorded_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # One of the packages, such as vLLM's openai, to whose users wandb recommends its Weave.
    monkeypatch.setitem(sys.modules, "notdiamond", ModuleType("notdiamond"))
    run = Run.create(tmp_path / "run", trial("wandb", "tensorboard"))
    with tracked(run) as tracking:
        tracking.step({"step": 1, "reward_mean": 0.25})
        import wandb

        wandb.finish()
        for step in (2, 3):
            tracking.step({"step": step, "reward_mean": 0.5})
    known = run.manifest["trackers"]
    assert known["wandb"]["failed"].startswith("step 2: ")
    assert "failed" not in known["tensorboard"]
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("tracker 'wandb' failed and is told no more (step 2: ")
    assert "metrics.jsonl holds every step" in line
    assert set(of_wandb(run.folder / "trackers" / "wandb")) == {1}
    rewards = of_tensorboard(run.folder / "trackers" / "tensorboard")
    assert [rewards[step]["reward_mean"] for step in (1, 2, 3)] == [0.25, 0.5, 0.5]


@pytest.mark.skipif("tensorboard" not in INSTALLED, reason="not installed: make trackers")
def test_steps_that_are_taken_again_stand_once_with_tensorboard(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", trial("tensorboard"))
    for rewards in ((0.1, 0.2, 0.3), (0.4,)):
        with tracked(run) as tracking:
            for step, reward in enumerate(rewards, 1):
                tracking.step({"step": step, "reward_mean": reward})
    found = of_tensorboard(run.folder / "trackers" / "tensorboard")
    assert {s: n["reward_mean"] for s, n in found.items() if n} == {1: pytest.approx(0.4)}
