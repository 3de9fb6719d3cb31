"""A trial before its first step: a run's folder, once all that the settings name is there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from verirank.config import InputError, TaskConfig, TrialConfig
from verirank.models import BaseModel
from verirank.record import Run
from verirank.sampling import expect_sampler
from verirank.tasks import expect_prompts_fit, load_task
from verirank.tracking import expect_trackers


def start_trial(
    config: TrialConfig, folder: Path, defect: str | None = None, base: BaseModel | None = None
) -> Run:
    """Create the run of a trial, once its task is known to be there.

    Args:
        config: what it is.
        folder: its new folder.
        defect: what is wrong with it on purpose, which its record will say for good.
        base: its model, which the prompts must fit; None leaves that to whoever runs it.

    Raises:
        InputError: task or bench are unknown, a bench has fewer than the two problems that an
            interval needs, the sampler or a tracker is not installed, a prompt does not fit, or the
            folder is taken.
    """
    expect_sampler(config.sampling)
    expect_trackers(config.machine)
    expect_benches(config.task, config.evaluation.sampled)
    if base is not None:
        expect_prompts_fit(load_task(config.task), config, base)
    return Run.create(folder, config, defect)


def expect_benches(config: TaskConfig, benches: Iterable[str]) -> None:
    """Refuse benches that cannot be scored.

    Raises:
        InputError: task or bench are unknown, or a bench has fewer than the two problems that an
            interval needs.
    """
    task = load_task(config)
    for bench in benches:
        if len(task.bench(bench, 2)) < 2:
            raise InputError(f"bench {bench!r} of {config.name} has fewer than 2 problems")
