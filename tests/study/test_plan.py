"""What a study is planned to cost: measured where its model is here, else by the model's shape."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import psutil
import pytest

from verirank.cli.tables import render_plan
from verirank.config import InputError
from verirank.models import load_shape
from verirank.planning import gpu, hours_of, usual_lengths
from verirank.study import Store, Study, TrialStatus, make_study, plan_study
from verirank.study._cost import _probe, benches_during, measured_speed
from verirank.study._status import _eta

Make = Callable[..., Study]


def paper(**settings: object) -> Study:
    return make_study({"name": "p", "preset": "paper-1.5b", "methods": ["lora"], **settings})


def test_without_the_model_seconds_are_those_of_a_gpu_by_its_shape() -> None:
    study = paper(seeds=[0, 1])
    plan = plan_study(study, on="a100-80gb")
    assert [trial.source for trial in plan.trials] == ["estimate", "estimate"]
    (arm,) = study.arms()
    trial = arm.trial(0)
    shape, device = load_shape(trial.model), gpu("a100-80gb")
    hours = hours_of(trial, shape, usual_lengths(trial), device)
    each = 3600 * (hours.total - hours.other)
    assert [trial.seconds for trial in plan.trials] == pytest.approx([each, each])
    totals = plan.totals()
    assert totals["gpu_seconds_left"] == pytest.approx(2 * each)
    assert totals["core_seconds_left"] == 0
    assert "of one a100-80gb left, by the model's shape" in str(render_plan(plan).renderables[-1])


def test_too_few_problems_of_ones_own_are_refused_as_they_are_when_the_study_runs(
    tmp_path: Path,
) -> None:
    file = tmp_path / "few.csv"
    file.write_text("question,answer\n" + "".join(f"What is {n}+1?,{n + 1}\n" for n in range(3)))
    study = make_study({"name": "s", "methods": ["lora"], "trial": {"task": {"name": str(file)}}})
    with pytest.raises(InputError, match=r"bench 'test' of .* has fewer than 2 problems"):
        plan_study(study, probe=False)


def test_a_bench_that_the_task_has_not_is_refused_as_it_is_when_the_study_runs() -> None:
    study = make_study({"name": "s", "trial": {"evaluation": {"benches": ["aime24"]}}})
    with pytest.raises(InputError, match="'aime24'"):
        plan_study(study, probe=False)


def test_methods_whose_parameters_cannot_be_matched_are_named() -> None:
    study = paper(methods=["lora", "ia3", "miss", "vera"], match="parameters")
    plan = plan_study(study, on="h100")
    assert plan.unmatched == ("ia3", "vera")
    ranks = {trial.method: trial.axes.get("method.rank") for trial in plan.trials}
    assert (
        (ranks["lora"], ranks["vera"]) == (32, 256) and ranks["miss"] > 32 and ranks["ia3"] is None
    )
    told = str(render_plan(plan).renderables[-1])
    assert "No rank brings these near LoRA's trainable parameters: ia3, vera" in told


def test_methods_that_an_axis_leaves_out_are_named() -> None:
    plan = plan_study(paper(methods=["lora", "ia3"], axes={"method.rank": [4, 8]}), probe=False)
    assert [trial.method for trial in plan.trials] == ["lora", "lora"]
    assert "setting that is an axis: ia3 (no method.rank)" in str(render_plan(plan).renderables[-1])


def test_methods_of_which_a_search_drops_nothing_early_are_named() -> None:
    fair = {"protocol": "fair", "seeds": [0, 1, 2], "methods": ["lora", "adalora"]}
    fair |= {"trial": {"training": {"steps": 60}}}
    for rungs, undropped in (
        ([0.5, 0.75], ()),
        ([0.5], ("adalora",)),
        ([], ("lora", "adalora")),
    ):
        plan = plan_study(paper(**fair, search={"rungs": rungs}), on="h100")
        assert plan.undropped == undropped
        said = str(render_plan(plan).renderables[-1])
        assert (f"and the last step: {', '.join(undropped)}" in said) is bool(undropped)
        assert "at most: rates that are surely worse end earlier" in said


def test_a_search_is_planned_at_the_most_that_it_takes() -> None:
    fair = {"protocol": "fair", "seeds": [0, 1, 2], "methods": ["lora"]}
    plan = plan_study(paper(**fair, search={"learning_rates": 4, "seeds": [7, 8]}), on="h100")
    searched = [trial for trial in plan.trials if trial.role == "search"]
    assert [trial.seed for trial in searched] == [7, 8] * 4
    (ranked,) = {trial.seconds for trial in plan.trials if trial.role == "ranked"}
    more = plan_study(paper(**fair, search={"learning_rates": 4, "rungs": []}), on="h100")
    fewer_scores = {trial.seconds for trial in more.trials if trial.role == "search"}
    (seconds,) = {trial.seconds for trial in searched}
    assert seconds is not None and ranked is not None
    assert all(other is not None and 0 < other < seconds for other in fewer_scores)


def test_a_faster_gpu_takes_less() -> None:
    slow, fast = (plan_study(paper(), on=name).totals() for name in ("a100-80gb", "h200"))
    assert fast["gpu_seconds_left"] < slow["gpu_seconds_left"]  # type: ignore[operator]
    with pytest.raises(InputError, match="unknown GPU 'h20'"):
        plan_study(paper(), on="h20")


def test_a_model_that_is_nowhere_costs_nobody_knows_what(tmp_path: Path) -> None:
    study = paper(trial={"model": {"name": str(tmp_path / "absent")}})
    plan = plan_study(study)
    assert [trial.source for trial in plan.trials] == ["unknown"]
    assert plan.totals()["core_seconds_left"] is None


def test_steps_that_are_taken_are_not_owed_again(tmp_path: Path, small_study: Make) -> None:
    study, store = small_study("ia3", steps=4), Store(tmp_path)
    trial_config = study.arms()[0].trial(0)
    before = plan_study(study, store=tmp_path)
    store.start(trial_config, store.trial(trial_config))
    line = {"step": 3, "reward_mean": 0.0}
    (store.trial(trial_config) / "metrics.jsonl").write_text(f"{line}\n".replace("'", '"'))
    after = plan_study(study, store=tmp_path)
    (trial,) = after.trials
    assert trial.step == 3
    left = before.totals()["core_seconds_left"]
    assert after.totals()["core_seconds_left"] == pytest.approx(left / 4)  # type: ignore[operator]


def test_each_arm_tells_its_own_values_of_the_axes(small_study: Make) -> None:
    axes = {"method.rank": [1, 8], "training.steps": [2, 3]}
    plan = plan_study(small_study("lora", axes=axes), probe=False)
    assert [trial.axes for trial in plan.trials] == [
        {"method.rank": rank, "training.steps": steps} for rank in (1, 8) for steps in (2, 3)
    ]


def test_a_plan_says_what_its_estimates_take_for_granted() -> None:
    plan = plan_study(paper(), probe=False)
    text = " ".join(str(render_plan(plan).renderables[-1]).split())
    assert "Estimates take training at 20 % of the GPU's peak, decoding by its bytes" in text


def test_an_arm_that_diverges_in_its_probe_costs_nobody_knows_what(small_study: Make) -> None:
    # A probe is remembered whatever its rate; nobody else has this rank.
    study = small_study("lora", axes={"method.rank": [3], "method.learning_rate": [1e30]})
    plan = plan_study(study)
    assert [trial.source for trial in plan.trials] == ["unknown"]


def test_an_arm_whose_probe_is_killed_costs_nobody_knows_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_study: Make
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def kill_the_probe() -> None:
        probes = list[psutil.Process]()
        while not probes:
            time.sleep(0.05)
            children = psutil.Process().children()
            servers = [p for p in children if "forkserver" in " ".join(p.cmdline())]
            probes = [child for server in servers for child in server.children()]
        probes[0].kill()

    killer = Thread(target=kill_the_probe)
    killer.start()
    plan = plan_study(small_study("ln-tuning"))
    killer.join()
    assert [trial.source for trial in plan.trials] == ["unknown"]


def test_an_arm_whose_probe_the_disk_fails_costs_nobody_knows_what(small_study: Make) -> None:
    (arm,) = small_study("ln-tuning").arms()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        assert _probe(arm.trial(0)) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_scores_during_training_are_in_the_estimate_once_each(tmp_path: Path) -> None:
    def planned(**evaluation: object) -> tuple[float, float]:
        study = paper(trial={"evaluation": evaluation})
        (trial,) = plan_study(study, on="a100-80gb").trials
        (arm,) = study.arms()
        config = arm.trial(0)
        shape, device = load_shape(config.model), gpu("a100-80gb")
        hours = hours_of(config, shape, usual_lengths(config), device)
        assert trial.seconds is not None
        return trial.seconds, 3600 * (hours.total - hours.other)

    plain, each = planned(), planned(every=10)
    assert plain[0] == pytest.approx(plain[1])
    assert each[0] == pytest.approx(each[1])
    assert each[0] > plain[0]


def test_a_bench_during_training_counts_as_often_as_it_is_sampled() -> None:
    settings = {"benches": ["test"], "problems": 8, "samples": 2, "every": 4}
    (arm,) = make_study(
        {"name": "s", "methods": ["ia3"], "preset": "quickstart", "trial": {"evaluation": settings}}
    ).arms()
    assert benches_during(arm.settings, 22) == 5
    manifest = {"status": "done", "seconds": 10.0, "seconds_evaluate": 12.0}
    speed = measured_speed(manifest, arm.settings)
    assert speed is not None
    assert speed.bench == pytest.approx(12 / (1 + arm.steps // 4))
    plain = arm.settings.model_copy(
        update={"evaluation": arm.settings.evaluation.model_copy(update={"every": None})}
    )
    assert benches_during(plain, 22) == 0


def test_the_time_left_has_the_scores_during_training() -> None:
    def left(during: float) -> float | None:
        running = TrialStatus(
            id="a",
            role="ranked",
            method="lora",
            seed=0,
            learning_rate=1e-3,
            state="running",
            step=10,
            steps=20,
            seconds=10.0,
            seconds_during=during,
            error=None,
        )
        return _eta([running], paper())

    assert left(0.0) == pytest.approx(10.0)
    assert left(6.0) == pytest.approx(16.0)
