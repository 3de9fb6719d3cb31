"""Tasks from problems and a Python reward function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from verirank.api._function_source import function_source
from verirank.config import InputError, ModelConfig, TaskConfig, resolve
from verirank.models import BaseModel, context_length, load_tokenizer
from verirank.record import cache_folder, write_file
from verirank.tasks import Problem, TaskPreview, load_task, preview_task

Problems = str | Path | Iterable[Mapping[str, Any]]
"""A file or folder of problems, `owner/name` on the Hub, a DataFrame, a pyarrow table, or mappings
with a problem and an answer."""


def define_task(
    problems: Problems,
    *,
    reward: Callable[[Problem, str], float | Mapping[str, float]] | str | None = None,
    template: str = "auto",
    answer_format: str | None = None,
    **settings: Any,
) -> TaskConfig:
    """Describe a task: problems, how they are prompted, and what a completion earns.

    Problems and function are written to files in the cache folder, named by their content, so that
    a run can be resumed, exported and reported from any process.

    Args:
        problems: a file (JSON lines, JSON, CSV, Parquet), a folder, `owner/name` on the Hub, a
            DataFrame, a pyarrow table, or mappings with `problem`, `answer` and, if wanted, `id`.
        reward: a function of a problem and a completion that returns a number, or numbers by name
            whose sum is the reward; or where to find one (`FILE.py:FUNCTION`, `MODULE:FUNCTION`). A
            function may use modules that its file imports, but no other names from outside. None
            compares the answer with the gold answer.
        template: the prompt's form, see docs/problems.md.
        answer_format: `boxed`, `number`, `text` or `free`; by default `free` with a reward
            function, else `boxed`.
        settings: any other setting of a file's task, such as `columns`.

    Returns:
        The task's settings, for `train`, `evaluate` and `preview`.

    Raises:
        InputError: problems cannot be used, there are fewer than three different problems, or the
            function's source cannot stand alone.

    Example:
        >>> import verirank
        >>> problems = [{"problem": f"{n}+{n}=", "answer": 2 * n} for n in range(20)]
        >>> def reward(problem, completion):
        ...     return 0.5 * ("=" in completion) + 0.5 * (problem.answer in completion)
        >>> task = verirank.define_task(problems, reward=reward)
        >>> verirank.preview(task).splits["train"]
        14
    """
    name = str(problems) if isinstance(problems, str | Path) else _written_problems(problems)
    if answer_format is None:
        answer_format = "free" if reward else "boxed"
    if callable(reward):
        reward = _written_function(reward)
    described = {"name": name, "template": template, "answer_format": answer_format, **settings}
    config = resolve({"task": described | ({"reward": reward} if reward else {})}).task
    load_task(config)
    return config


def preview(
    task: TaskConfig | str, model: BaseModel | str = "micro", *, shown: int = 3
) -> TaskPreview:
    """Return what a model is asked: rendered prompts, gold answers, splits, token lengths.

    Args:
        task: from `define_task`, or a task's name.
        model: a model or its name; of a name only the tokenizer is loaded.
        shown: the number of prompts to return.

    Raises:
        InputError: there is no such task or model.

    Example:
        >>> import verirank
        >>> verirank.preview("arithmetic", shown=1).prompts[0].text
        '13-29+27-22='
    """
    config = task if isinstance(task, TaskConfig) else resolve({"task": {"name": task}}).task
    if isinstance(model, BaseModel):
        tokenizer, context = model.tokenizer, model.context
    else:
        named = ModelConfig(name=model)
        tokenizer, context = load_tokenizer(named), context_length(named)
    return preview_task(load_task(config), tokenizer, context=context, shown=shown)


def _written_problems(problems: Any) -> str:
    """Write problems into the cache folder and return the file's path."""
    if hasattr(problems, "to_pylist"):  # a pyarrow table
        problems = problems.to_pylist()
    elif hasattr(problems, "to_dict"):  # a DataFrame
        problems = problems.to_dict("records")
    rows = list(problems)
    if not all(isinstance(row, Mapping) for row in rows):
        raise InputError("problems are mappings with 'problem' and 'answer'")
    lines = [json.dumps(dict(row), default=_plain) + "\n" for row in rows]
    return _cached("problems.jsonl", "".join(lines))


def _plain(value: Any) -> Any:
    """Return what NumPy and pandas hold as Python's own; anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _written_function(function: Callable[..., Any]) -> str:
    """Write a function's source into the cache folder and return `FILE.py:FUNCTION`."""
    return f"{_cached('reward.py', function_source(function))}:{function.__name__}"


def _cached(name: str, text: str) -> str:
    folder = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = cache_folder() / "tasks" / folder / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text)
    return str(path)
