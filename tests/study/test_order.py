"""In which order a study's trials begin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from verirank.study import Study
from verirank.study._run import _most_work_first

Make = Callable[..., Study]


def test_a_trial_of_many_steps_goes_before_one_that_trains_more_weights(small_study: Make) -> None:
    study = small_study("full", "ln-tuning", steps=1)
    full, tuning = study.model_copy(update={"steps": {"ln-tuning": 500}}).arms()
    trials = {Path("full"): full, Path("ln-tuning"): tuning}
    assert _most_work_first(trials) == [Path("ln-tuning"), Path("full")]


def test_of_equal_steps_the_trial_that_computes_most_goes_first(small_study: Make) -> None:
    study = small_study("ln-tuning", "full", steps=3)
    trials = {Path(arm.method.name): arm for arm in study.arms()}
    assert _most_work_first(trials) == [Path("full"), Path("ln-tuning")]
