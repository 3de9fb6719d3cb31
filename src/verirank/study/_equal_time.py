"""Steps by which every method trains for as long as LoRA, as a probe of each measures it."""

from __future__ import annotations

from pathlib import Path

from verirank.config import InputError, TrialConfig
from verirank.study._cost import probe_speed
from verirank.study._definition import DEFINITION, Study, read_study

_REFERENCE = "lora"


def with_equal_time(study: Study, out: Path | None = None) -> Study:
    """Return a study that matches training time with its steps solved; any other as it is.

    Args:
        study: what is to be run or planned.
        out: its folder. A study that was begun keeps the steps that it was begun with, for another
            probe would find others.

    Raises:
        InputError: the model is not here, or a method fails within the steps of its probe.
    """
    if study.match != "time" or study.steps:
        return study
    if out is not None and (out / DEFINITION).is_file():
        return study.model_copy(update={"steps": read_study(out / DEFINITION).steps})
    (lora,) = study.model_copy(update={"methods": (_REFERENCE,), "defects": {}}).arms()
    seed = study.seeds[0]
    seconds = lora.steps * _step_seconds(lora.trial(seed))
    steps = {
        arm.method: max(1, round(seconds / _step_seconds(arm.trial(seed)))) for arm in study.arms()
    }
    return study.model_copy(update={"steps": steps})


def _step_seconds(trial: TrialConfig) -> float:
    speed = probe_speed(trial)
    if speed is None:
        raise InputError(
            f"match = 'time' measures a step of every method, and {trial.method.name} could not be "
            "measured here: its model is not on this machine, or it failed within three steps"
        )
    return speed.step
