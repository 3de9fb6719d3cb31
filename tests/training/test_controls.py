"""What controls are taught, and that a study adds them as trials of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from verirank.config import Control, InputError, TrialConfig, resolve
from verirank.record import Run, read_trial_list
from verirank.sampling import Completion
from verirank.study import Study, make_study, plan_study, run_study
from verirank.tasks import load_task
from verirank.training import Rewards, rewards_of
from verirank.trial import trial_id
from verirank.verifier import Verifier

RIGHT, WRONG, NONE = r"<think></think>\boxed{19}", r"<think></think>\boxed{7}", "<think>12+7=19"


def completion(text: str, seed: int) -> Completion:
    return Completion((), (), (), text, False, seed)


@pytest.fixture
def rewards(verifier: Verifier) -> Callable[[Control | None], Rewards]:
    def of(control: Control | None) -> Rewards:
        config = resolve({} if control is None else {"control": control})
        return rewards_of(config, load_task(config.task), verifier, base_reward=0.3)

    return of


def values(rewards: Rewards, texts: list[str]) -> list[float]:
    task = load_task(resolve({}).task)
    problem = task.training_problem(0, 0)
    asked = type(problem)(problem.id, problem.prompt, "19")
    group = [completion(text, seed) for seed, text in enumerate(texts)]
    return [reward.value for reward in rewards([asked], [group])[0]]


def test_format_reward_pays_for_the_form_alone(rewards) -> None:
    texts = [RIGHT, WRONG, NONE]
    assert values(rewards(None), texts) == [1, 0, 0]
    assert values(rewards("format-reward"), texts) == [1, 1, 0]


def test_random_reward_has_the_bases_rate_and_knows_no_answer(rewards) -> None:
    drawn = values(rewards("random-reward"), [RIGHT] * 4000)
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.03)
    assert drawn == values(rewards("random-reward"), [NONE] * 4000)


def test_random_reward_without_the_bases_rate_is_refused(verifier: Verifier) -> None:
    config = resolve({"control": "random-reward"})
    with pytest.raises(InputError, match="needs the base's reward"):
        rewards_of(config, load_task(config.task), verifier, base_reward=None)


def test_a_control_is_part_of_a_trials_identity() -> None:
    assert trial_id(resolve({})) != trial_id(resolve({"control": "no-signal"}))


def study(**settings: object) -> Study:
    trial = {
        "training": {"steps": 2},
        "evaluation": {"benches": ["test"], "problems": 8, "samples": 2},
    }
    described = {"name": "s", "preset": "quickstart", "methods": ["ia3", "ln-tuning"]}
    return make_study({**described, "trial": trial, **settings})


def test_controls_are_of_the_named_methods_or_of_all() -> None:
    def planned(**settings: object) -> list[tuple[str, str]]:
        trials = plan_study(study(**settings), probe=False).trials
        return [(t.method, t.axes["control"]) for t in trials if t.role == "control"]

    both = ["random-reward", "no-signal"]
    assert planned() == []
    assert sorted(planned(controls=both, controlled=["ia3"])) == [("ia3", c) for c in sorted(both)]
    assert len(planned(controls=both)) == 4


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"controls": ["random"]}, "random-reward"),
        ({"controlled": ["ia3"]}, "names no control"),
        ({"controls": ["no-signal"], "controlled": ["lora"]}, "which it does not train"),
        ({"controls": ["no-signal"], "protocol": "race"}, "measure defects and controls with"),
        ({"trial": {"control": "no-signal"}}, "a study ranks no controls"),
    ],
)
def test_controls_that_cannot_be_are_refused_in_one_line(settings: dict, told: str) -> None:
    described = {"name": "s", "preset": "quickstart", "methods": ["ia3"], **settings}
    with pytest.raises(InputError, match=told):
        make_study(described)


@pytest.mark.slow
def test_a_study_trains_its_controls_and_marks_them(tmp_path: Path) -> None:
    controls = ("random-reward", "no-signal")
    outcomes = run_study(study(methods=["ia3"], controls=controls), tmp_path / "s")
    assert [outcome.error for outcome in outcomes] == [None] * 3
    listed = read_trial_list(tmp_path / "s")
    assert listed is not None
    runs = {entry.defect: Run(listed.folder(entry)) for entry in listed.entries}
    assert {name: run.control for name, run in runs.items()} == {None: None} | {
        control: control for control in controls
    }
    assert all(line["lr"] == 0 for line in runs["no-signal"].metrics())
    assert all(line["delta_norm"] == 0 for line in runs["no-signal"].metrics())
    assert runs["random-reward"].metrics()[-1]["delta_norm"] > 0
    rate = json.loads((runs["random-reward"].folder / "manifest.json").read_text())["base_reward"]
    assert 0 < rate < 1
    assert isinstance(runs["random-reward"].config, TrialConfig)
