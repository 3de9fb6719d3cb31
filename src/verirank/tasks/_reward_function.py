"""A reward written as a plain Python function: `reward(problem, completion) -> float`."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from verirank.config import InputError, RunFailedError
from verirank.tasks._problem import Problem
from verirank.verifier import Reward

RewardFunction = Callable[[Problem, str], float]


def load_reward(name: str) -> RewardFunction:
    """Return the function named `FILE.py:FUNCTION` or `MODULE:FUNCTION`.

    Raises:
        InputError: the name has another form, or the function cannot be imported.
    """
    source, separator, function = name.rpartition(":")
    if not separator or not source or not function:
        raise InputError(f"task.reward = {name!r}: write FILE.py:FUNCTION or MODULE:FUNCTION")
    try:
        module = _module_of_file(source) if source.endswith(".py") else import_module(source)
    except Exception as error:
        raise InputError(f"task.reward: cannot import {source}: {error}") from None
    reward: Any = getattr(module, function, None)
    if not callable(reward):
        raise InputError(f"task.reward: {source} has no function {function!r}")
    return cast(RewardFunction, reward)


def reward_source(name: str) -> bytes:
    """Return the bytes of the file that holds a reward function, which identify it."""
    module = load_reward(name).__module__
    file = name.rpartition(":")[0]
    path = file if file.endswith(".py") else getattr(import_module(module), "__file__", None)
    return Path(path).read_bytes() if path else name.encode()


def rewards_of(
    function: RewardFunction, graded: Sequence[tuple[Problem, str]], name: str
) -> list[Reward]:
    """Return the rewards of completions; one counts as correct where its reward is at least 1.

    Args:
        function: called in this process, with a problem and a whole completion.
        graded: problems with one completion each.
        name: what an error calls the function.

    Raises:
        RunFailedError: the function raised, or returned no finite number.
    """
    return [_reward(function, problem, completion, name) for problem, completion in graded]


def _reward(function: RewardFunction, problem: Problem, completion: str, name: str) -> Reward:
    start = perf_counter()
    try:
        value = float(function(problem, completion))
    except Exception as error:
        kind = type(error).__name__
        raise RunFailedError(f"{name} on problem {problem.id!r}: {kind}: {error}") from error
    if not math.isfinite(value):
        raise RunFailedError(f"{name} on problem {problem.id!r} returned {value}")
    return Reward(value, value >= 1, "reward function", perf_counter() - start)


@lru_cache(maxsize=16)
def _module_of_file(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"reward_{Path(path).stem}", path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise FileNotFoundError("no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
