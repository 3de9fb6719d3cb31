"""What a study is planned to cost: measured where its model is here, else by the model's shape."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import psutil
import pytest
from rich.console import Console

from verirank.cli._plan import render_plan
from verirank.config import InputError
from verirank.models import load_shape
from verirank.planning import UTILISATION, gpu, usual_lengths, work_of
from verirank.study import Store, Study, make_study, plan_study
from verirank.study._cost import _probe

Make = Callable[..., Study]


def paper(**settings: object) -> Study:
    return make_study({"name": "p", "preset": "paper-1.5b", "methods": ["lora"], **settings})


def test_without_the_model_seconds_are_those_of_a_gpu_by_its_shape() -> None:
    study = paper(seeds=[0, 1])
    plan = plan_study(study, on="a100-80gb")
    assert [trial.source for trial in plan.trials] == ["estimate", "estimate"]
    (arm,) = study.arms()
    flops = work_of(arm, load_shape(arm.model), usual_lengths(arm)).flops
    each = flops / gpu("a100-80gb").flops / UTILISATION
    assert [trial.seconds for trial in plan.trials] == pytest.approx([each, each])
    totals = plan.totals()
    assert totals["gpu_seconds_left"] == pytest.approx(2 * each)
    assert totals["core_seconds_left"] == 0
    assert "of one a100-80gb left, by the model's shape" in str(render_plan(plan).renderables[-1])


def test_methods_whose_parameters_cannot_be_matched_are_named() -> None:
    study = paper(methods=["lora", "ia3", "miss", "vera"], match="parameters")
    plan = plan_study(study, on="h100")
    assert plan.unmatched == ("ia3", "vera")
    ranks = {trial.method: trial.axes.get("method.rank") for trial in plan.trials}
    assert ranks["lora"] == ranks["vera"] == 32 and ranks["miss"] > 32 and ranks["ia3"] is None
    told = str(render_plan(plan).renderables[-1])
    assert "No rank brings these near LoRA's trainable parameters: ia3, vera" in told


def test_methods_that_an_axis_leaves_out_are_named() -> None:
    plan = plan_study(paper(methods=["lora", "ia3"], axes={"method.rank": [4, 8]}), probe=False)
    assert [trial.method for trial in plan.trials] == ["lora", "lora"]
    assert "setting that is an axis: ia3 (no method.rank)" in str(render_plan(plan).renderables[-1])


def test_methods_of_which_a_search_halves_nothing_are_named() -> None:
    fair = {"protocol": "fair", "seeds": [0, 1, 2], "methods": ["lora", "ia3"]}
    steps = {"trial": {"training": {"steps": 30}}, "steps": {"ia3": 10}}
    for first, unhalved in ((5, ()), (15, ("ia3",)), (100, ("lora", "ia3"))):
        plan = plan_study(paper(**fair, **steps, search={"first_steps": first}), on="h100")
        assert plan.unhalved == unhalved
        said = str(render_plan(plan).renderables[-1])
        assert (f"reach to the end: {', '.join(unhalved)}" in said) is bool(unhalved)


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
    (arm,) = study.arms()
    before = plan_study(study, store=tmp_path)
    store.start(arm, store.trial(arm))
    line = {"step": 3, "reward_mean": 0.0}
    (store.trial(arm) / "metrics.jsonl").write_text(f"{line}\n".replace("'", '"'))
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
    console = Console(width=200)
    with console.capture() as printed:
        console.print(render_plan(plan))
    assert "Estimates take 20 % of the GPU's peak, for sampling a guess" in printed.get()


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
        assert _probe(arm) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
