"""A look at the base's answers before training: what it says, and when it stops a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from verirank.config import ModelConfig, TrialConfig, resolve
from verirank.models import load_base
from verirank.record import write_samples
from verirank.trial import (
    BaseOutlook,
    NothingToLearnError,
    Rung,
    base_outlook,
    expect_signal,
    expected_cost,
    read_form_outlook,
    run_trial,
    start_trial,
)

OUTLOOK = BaseOutlook(
    "training problems",
    0.0,
    0.0,
    0.0,
    signals=0,
    groups=16,
    samples=128,
    seconds=2.0,
    prompt_tokens=12.0,
    completion_tokens=5.0,
)


@pytest.fixture
def hopeless(tmp_path: Path) -> TrialConfig:
    """Return a trial whose problems the micro model cannot read."""
    rows = [{"id": n, "problem": f"Which is {n}?", "answer": "none"} for n in range(40)]
    file = tmp_path / "words.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return resolve(
        {
            "method": {"name": "ia3"},
            "task": {"name": str(file)},
            "sampling": {"problems_per_step": 2, "group_size": 2, "max_new_tokens": 4},
            "training": {"steps": 2},
            "evaluation": {"samples": 4},
        }
    )


def test_it_counts_rewards_answers_cut_off_completions_and_groups_with_a_signal() -> None:
    table = pa.table(
        {
            "problem": ["a", "a", "b", "b"],
            "reward": [1.0, 0.5, 0.0, 0.0],
            "answer": ["1", None, None, "2"],
            "truncated": [True, True, True, False],
            "length": [3, 5, 4, 4],
        }
    ).replace_schema_metadata({"seconds": "2.0", "waited": "0.5", "prompt_tokens": "12.0"})
    outlook = base_outlook("test", table)
    assert outlook == BaseOutlook(
        *("test", 0.375, 0.25, 0.25, 1, 2, 4, 2.0, 12.0, 4.0),
        limit=5,
        truncated_right=1.0,
        waited=0.25,
        graded=True,
    )
    assert str(outlook) == (
        "base on test: mean reward 0.375, 25 % state no answer, 25 % earn nothing and are as long "
        "as the limit allows; rewards differ in 1 of 2 groups"
    )


@pytest.mark.parametrize(
    ("right_at_limit", "said"),
    [
        (1.0, "100 % of the right completions reach the limit of 4 tokens, too: this is no fault"),
        (0.1, "10 % of the right completions reach the limit of 4 tokens, too: if this stays so"),
        (None, "if an answer takes more than the limit of 4 tokens, raise"),
    ],
)
def test_wrong_completions_at_the_limit_are_a_fault_only_where_right_ones_are_shorter(
    right_at_limit: float | None, said: str
) -> None:
    outlook = replace(OUTLOOK, truncated=0.8, limit=4, truncated_right=right_at_limit)
    (remark,) = outlook.remarks()
    assert remark.startswith(said) and "sampling.max_new_tokens" in remark
    assert replace(outlook, truncated=0.1).remarks() == []


@pytest.mark.parametrize(
    ("waited", "assumed"),
    [
        (0.01, "(with no other work on its core)"),
        (0.4, "(with the load of now: other work has its core 40 % of the time)"),
        (None, "(with the machine as busy as it is now)"),
    ],
)
def test_an_expected_time_says_which_load_it_assumes(waited: float | None, assumed: str) -> None:
    shape = load_base(ModelConfig()).shape
    cost = expected_cost(resolve({}), shape, replace(OUTLOOK, waited=waited))
    assert str(cost).endswith(assumed)


def test_measured_steps_correct_what_is_expected_and_tell_the_load() -> None:
    cost = expected_cost(resolve({}), load_base(ModelConfig()).shape, OUTLOOK)
    phases = ("sample", "verify", "train", "publish")
    steps = [{f"seconds_{phase}": cost.a_step / 2 for phase in phases}] * 3
    slower = cost.corrected([{**step, "seconds_waited": cost.a_step} for step in steps])
    assert slower.seconds == pytest.approx(2 * cost.seconds)
    assert slower.waited == pytest.approx(0.5)
    assert cost.corrected(steps).waited is None


@pytest.mark.parametrize("reward", [0.0, 0.5, 1.0])
def test_equal_rewards_in_every_group_stop_a_trial(reward: float) -> None:
    with pytest.raises(NothingToLearnError, match="nothing can be learned"):
        expect_signal(replace(OUTLOOK, reward=reward), resolve({}))


def test_one_group_with_a_signal_or_a_setting_lets_it_train() -> None:
    expect_signal(replace(OUTLOOK, signals=1), resolve({}))
    expect_signal(OUTLOOK, resolve({"machine": {"train_without_signal": True}}))


def test_twice_the_steps_or_samples_a_step_are_expected_to_cost_twice_the_time() -> None:
    shape = load_base(ModelConfig()).shape

    def seconds(**settings: object) -> float:
        config = resolve({**settings, "evaluation": {"problems": 2, "samples": 1}})
        return expected_cost(config, shape, OUTLOOK).seconds

    once = seconds(training={"steps": 50})
    assert seconds(training={"steps": 100}) == pytest.approx(2 * once, rel=0.01)
    twice = seconds(training={"steps": 50}, sampling={"problems_per_step": 32})
    assert twice == pytest.approx(2 * once, rel=0.01)
    sampled_alone = 50 * OUTLOOK.seconds  # of 16 problems and 8 samples, as in the outlook
    assert 2 * sampled_alone < once < 5 * sampled_alone


def test_completions_that_are_cut_off_get_the_setting_that_bounds_them() -> None:
    with pytest.raises(NothingToLearnError, match=r"raise sampling\.max_new_tokens"):
        expect_signal(replace(OUTLOOK, truncated=0.9), resolve({}))


def form_outlook(folder: Path, answers: list[str | None]) -> BaseOutlook:
    """Return what a control is paid for answers that all earn nothing of the task."""
    table = pa.table(
        {
            "stage": ["training"] * 4,
            "problem": ["a", "a", "b", "b"],
            "reward": pa.array([0.0] * 4, pa.float32()),
            "answer": pa.array(answers, pa.string()),
            "truncated": [False] * 4,
            "length": [3] * 4,
        }
    ).replace_schema_metadata({"seconds": "2.0", "prompt_tokens": "12.0"})
    write_samples(folder / "training-problems.parquet", [table])
    return read_form_outlook(folder)


def test_a_control_of_the_form_is_judged_by_the_form_that_the_base_has(tmp_path: Path) -> None:
    config = resolve({"control": "format-reward"})
    mixed = form_outlook(tmp_path, ["1", None, "1", "1"])
    assert (mixed.reward, mixed.signals, mixed.groups) == (0.75, 1, 2)
    expect_signal(mixed, config)
    with pytest.raises(NothingToLearnError, match="the base knows the form"):
        expect_signal(form_outlook(tmp_path, ["1"] * 4), config)
    with pytest.raises(NothingToLearnError, match="look at the prompts"):
        expect_signal(form_outlook(tmp_path, [None] * 4), config)


@pytest.mark.parametrize("control", [None, "format-reward", "random-reward", "no-signal"])
def test_only_what_a_trial_is_paid_for_can_stop_it(
    hopeless: TrialConfig, tmp_path: Path, control: str | None
) -> None:
    config = hopeless.model_copy(update={"control": control})
    run = start_trial(config, tmp_path / "run")
    if control is None:  # all rewards are 0, though some answers have the form
        with pytest.raises(NothingToLearnError, match="nothing can be learned"):
            run_trial(run, load_base(config.model), rung=Rung(1, "test"))
        return
    run_trial(run, load_base(config.model), rung=Rung(1, "test"))
    assert [line["step"] for line in run.metrics()] == [1]


@pytest.mark.parametrize("rung", [None, Rung(1, "test")])
def test_a_hopeless_run_stops_before_its_first_step_a_searchs_trial_too(
    hopeless: TrialConfig, tmp_path: Path, rung: Rung | None
) -> None:
    run, outlooks = start_trial(hopeless, tmp_path / "run"), list[BaseOutlook]()
    with pytest.raises(NothingToLearnError):
        run_trial(run, load_base(hopeless.model), rung=rung, on_base=outlooks.append)
    assert [outlook.reward for outlook in outlooks] == [0.0]
    assert run.metrics() == []
    assert run.status == "failed" and "nothing can be learned" in run.manifest["error"]


def test_trials_that_share_a_folder_take_the_bases_answers_once(
    tmp_path: Path, hopeless: TrialConfig
) -> None:
    shared, base = tmp_path / "base", load_base(hopeless.model)
    written: list[int] = []
    for seed in (0, 1):
        config = hopeless.model_copy(update={"seed": seed})
        run = start_trial(config, tmp_path / f"run{seed}")
        with pytest.raises(NothingToLearnError):
            run_trial(run, base, base_samples=shared)
        written.append((shared / "training-problems.parquet").stat().st_mtime_ns)
    assert written[0] == written[1]
