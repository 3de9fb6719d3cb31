"""From a task's settings to the task."""

from __future__ import annotations

from verirank.config import TaskConfig, load_plugin
from verirank.tasks._problem import Task


def load_task(config: TaskConfig) -> Task:
    """Return the task that the settings describe; a file's path stands for the task `jsonl`.

    Raises:
        InputError: there is no such task, or its file is unusable.
    """
    task: type[Task] = load_plugin("task", config.name)
    return task(task.Config.model_validate(config.model_dump()))
