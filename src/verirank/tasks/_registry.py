"""From a trial's settings to its task, and to how the task's benches are sampled."""

from __future__ import annotations

from dataclasses import fields, replace

from verirank.config import ArmConfig, TaskConfig, load_plugin
from verirank.tasks._problem import BenchSettings, Task


def load_task(config: TaskConfig) -> Task:
    """Return the task that the settings describe; a file's path stands for the task `jsonl`.

    Raises:
        InputError: there is no such task, or its file is unusable.
    """
    task: type[Task] = load_plugin("task", config.name)
    return task(task.Config.model_validate(config.model_dump()))


def bench_settings(task: Task, bench: str, config: ArmConfig) -> BenchSettings:
    """Return how a bench is sampled: as the trial says, or else as the bench does."""
    names = [field.name for field in fields(BenchSettings)]
    asked = {name: getattr(config.evaluation, name) for name in names}
    said = {name: value for name, value in asked.items() if value is not None}
    return replace(task.bench_settings(bench), **said)
