"""A trial before its first step: what can be told without weights, and a run's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from verirank.config import InputError, TrialConfig
from verirank.methods import expect_fits
from verirank.models import BaseModel, Reader, expect_model, load_reader
from verirank.record import Run
from verirank.sampling import expect_sampler
from verirank.tasks import Task, expect_prompts_fit, load_task
from verirank.tracking import expect_trackers


def expect_possible(
    trials: Iterable[TrialConfig], reader: BaseModel | Reader | None = None
) -> None:
    """Refuse trials that settings, files and a model's config.json show to be impossible.

    No weights are read and nothing is written. What several trials share is looked at once.

    Args:
        trials: each with its own settings.
        reader: reads the prompts of all, if their model is loaded already.

    Raises:
        InputError: the sampler or a tracker is not installed; there is no such model or adapter, or
            it is of a kind that cannot be loaded; task or bench are unknown, or a bench has fewer
            than the two problems that an interval needs; a prompt does not fit; or a method's
            settings do not suit the model.
    """
    trials = list(trials)
    for one in _distinct(trials, "model", "sampling", "machine"):
        expect_sampler(one)
        expect_trackers(one.machine)
        expect_model(one.model)
    for one in _distinct(trials, "model", "sampling", "task", "evaluation"):
        task = load_task(one.task)
        expect_benches(task, one.evaluation.sampled)
        expect_prompts_fit(task, one, reader or load_reader(one.model))
    for one in _distinct(trials, "model", "method", "training", "algorithm"):
        try:
            updates = one.training.steps * one.algorithm.inner_updates
            expect_fits(one.method, one.model, updates)
        except InputError as error:
            if len(trials) == 1:
                raise
            raise InputError(f"method {one.method.name} cannot be trained: {error}") from error


def start_trial(config: TrialConfig, folder: Path, defect: str | None = None) -> Run:
    """Create the run of a trial, once its task is known to be there.

    Args:
        config: what it is.
        folder: its new folder.
        defect: what is wrong with it on purpose, which its record will say for good.

    Raises:
        InputError: task or bench are unknown, a bench has fewer than the two problems that an
            interval needs, the sampler or a tracker is not installed, or the folder is taken.
    """
    expect_sampler(config)
    expect_trackers(config.machine)
    expect_benches(load_task(config.task), config.evaluation.sampled)
    return Run.create(folder, config, defect)


def expect_benches(task: Task, benches: Iterable[str]) -> None:
    """Refuse benches that cannot be scored.

    Raises:
        InputError: a bench is unknown, or has fewer than the two problems that an interval needs.
    """
    for bench in benches:
        if len(task.bench(bench, 2)) < 2:
            raise InputError(f"bench {bench!r} of {task.config.name} has fewer than 2 problems")


def _distinct(trials: Iterable[TrialConfig], *sections: str) -> Iterable[TrialConfig]:
    """Return one of all trials that are equal in some sections, learning rates aside."""
    rate = {"method": {"learning_rate"}}
    return {t.model_dump_json(include={*sections}, exclude=rate): t for t in trials}.values()
