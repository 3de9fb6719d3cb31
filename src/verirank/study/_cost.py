"""What a trial costs in seconds: from a record, a short probe, or the shape of its model."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from verirank.config import DURING, ArmConfig, InputError, RunFailedError, TrialConfig
from verirank.models import load_base, load_shape
from verirank.planning import GPU, hours_of, usual_lengths
from verirank.record import cache_folder, package_versions, processor, step_seconds, write_json
from verirank.study.executors._local import threads_each
from verirank.tasks import bench_settings, load_task
from verirank.trial import Rung, digest, may_pass

Source = Literal["measured", "another seed", "probe", "estimate", "unknown"]
_PROBE_STEPS = 3
_PROBE_PROBLEMS = 32


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of a training step, and of sampling one bench as the trial does."""

    step: float
    bench: float

    def seconds(self, steps: float, benches: float) -> float:
        """Return the seconds of so many steps and benches."""
        return steps * self.step + benches * self.bench


def benches_during(arm: ArmConfig, steps: int) -> float:
    """Return what so many steps of a trial score, in benches of the size of those at its end."""
    every = arm.evaluation.every
    if every is None:
        return 0.0
    task = load_task(arm.task)
    asked = [bench_settings(task, name, arm) for name in (DURING, *arm.evaluation.benches)]
    during, *after = (each.problems * each.samples for each in asked)
    return steps // every * during / (fmean(after) if after else during)


def measured_speed(manifest: Mapping[str, Any], arm: ArmConfig) -> Speed | None:
    """Return the speed that a finished run of an arm shows; None where it is not finished."""
    if manifest.get("status") != "done" or "seconds" not in manifest:
        return None
    benches = max(1.0, len(arm.evaluation.benches) + benches_during(arm, arm.training.steps))
    evaluate = manifest.get("seconds_evaluate", 0.0)
    return Speed(manifest["seconds"] / arm.training.steps, evaluate / benches)


def probe_speed(arm: TrialConfig) -> Speed | None:
    """Train an arm for three steps and sample a bench in part.

    None where the model is not here, or the arm fails within these steps, as by divergence or for
    want of memory. On a CPU it is seconds of a core, and of the clock while answers are verified:
    other work on the machine moves them less.

    What is found is remembered for this machine and these package versions.
    """
    file = _speed_file(arm)
    if not file.is_file():
        # A trial runs on one thread, and so has its probe to.
        with threads_each(1) as context, ProcessPoolExecutor(1, mp_context=context) as pool:
            try:
                speed = pool.submit(_probe, arm).result()
            except BrokenProcessPool:  # it was killed, as where memory does not suffice
                return None
        if speed is None:
            return None
        write_json(file, asdict(speed))
    return Speed(**json.loads(file.read_text("utf-8")))


def estimated_speed(arm: TrialConfig, on: GPU) -> Speed | None:
    """Return what a GPU is expected to take, as `verirank plan` has it; None without a shape."""
    try:
        hours = hours_of(arm, load_shape(arm.model), usual_lengths(arm), on)
    except InputError:
        return None
    benches = max(1.0, len(arm.evaluation.benches) + benches_during(arm, arm.training.steps))
    a_step = 3600 * (hours.sampling + hours.training) / arm.training.steps
    return Speed(a_step, 3600 * hours.evaluation / benches)


def _probe(arm: TrialConfig) -> Speed | None:
    try:
        return _measured(arm)
    except RunFailedError:
        return None
    except Exception as error:
        if may_pass(error):
            return None
        raise


def _measured(arm: TrialConfig) -> Speed | None:
    import torch

    from verirank.trial import run_trial, start_trial

    torch.set_num_threads(1)
    try:
        base = load_base(arm.model, arm.machine.device)
    except InputError:
        return None
    bench = arm.evaluation.benches[0]
    wanted = bench_settings(load_task(arm.task), bench, arm).problems
    problems = min(_PROBE_PROBLEMS, wanted)
    short = arm.model_copy(
        update={
            "training": arm.training.model_copy(update={"steps": _PROBE_STEPS}),
            "evaluation": arm.evaluation.model_copy(update={"problems": problems, "every": None}),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        run = start_trial(short, Path(folder) / "probe")
        spent: list[float] = []
        run_trial(
            run,
            base,
            rung=Rung(_PROBE_STEPS, bench),
            on_step=lambda step: spent.append(time.process_time()),
        )
        # The first step pays for what is only loaded and built once.
        lines = run.metrics()[1:]
        steps = [step_seconds(line) for line in lines]
        if base.device.type == "cpu":
            cores = [end - start for start, end in pairwise(spent)]
            steps = [c + line["seconds_verify"] for c, line in zip(cores, lines, strict=True)]
        evaluate = run.manifest["seconds_evaluate"]
    return Speed(sum(steps) / len(steps), evaluate * wanted / problems)


def _speed_file(arm: TrialConfig) -> Path:
    settings = arm.model_dump(mode="json", exclude={"seed", "checkpoint"})
    settings["training"].pop("steps")
    settings["method"].pop("learning_rate")
    key = {
        "settings": settings,
        "packages": package_versions(),
        "processor": processor(),
        "seconds": "of a core",
    }
    return cache_folder() / "probes" / f"{arm.method.name}-{digest(key, 24)}.json"
