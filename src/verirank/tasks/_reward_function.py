"""A reward written as a plain Python function: `reward(problem, completion)`."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from verirank.config import InputError, RunFailedError
from verirank.tasks._problem import Problem
from verirank.verifier import Reward, Verifier, judged, load_function

_ERROR = "error"


@dataclass(frozen=True, slots=True)
class RewardFunction:
    """A function of a problem and a completion, which the verifier's workers import and call.

    Args:
        name: `FILE.py:FUNCTION`, the file's path absolute, or `MODULE:FUNCTION`.
        folders: where the caller looks for modules.
    """

    name: str
    folders: tuple[str, ...]

    @classmethod
    def named(cls, name: str) -> RewardFunction:
        """Return the function that `FILE.py:FUNCTION` or `MODULE:FUNCTION` names.

        Raises:
            InputError: the name has another form, or the function cannot be imported.
        """
        source, _, function = name.rpartition(":")
        if not source or not function:
            raise InputError(f"task.reward = {name!r}: write FILE.py:FUNCTION or MODULE:FUNCTION")
        if source.endswith(".py"):
            name = f"{Path(source).absolute()}:{function}"
        try:
            load_function(name)
        except Exception as error:
            raise InputError(f"task.reward: cannot import {source}: {error}") from None
        return cls(name, tuple(str(Path(folder).absolute()) for folder in sys.path))

    def load(self) -> None:
        """Import the function, in a process whose own modules come before the caller's."""
        sys.path += [folder for folder in self.folders if folder not in sys.path]
        load_function(self.name)

    def code(self) -> bytes:
        """Return the bytes of the file that holds the function, which identify it."""
        source = self.name.rpartition(":")[0]
        if source.endswith(".py"):
            return Path(source).read_bytes()
        file = getattr(import_module(load_function(self.name).__module__), "__file__", None)
        return Path(file).read_bytes() if file else self.name.encode()

    def grade(self, verifier: Verifier, graded: Sequence[tuple[Problem, str]]) -> list[Reward]:
        """Return the rewards of completions; one is correct where its reward is at least 1.

        A completion whose call exceeds the verifier's limits, or ends its process, earns 0 with
        the reason.

        Raises:
            RunFailedError: the function raised, or returned something else than a finite number or
                finite numbers by name.
        """
        rewards = verifier.grade(self, graded)
        for (problem, _), reward in zip(graded, rewards, strict=True):
            if reward.reason.startswith(_ERROR):
                what = reward.reason.removeprefix(_ERROR)
                raise RunFailedError(f"task.reward {self.name} on problem {problem.id!r}{what}")
        return rewards

    def __call__(self, problem: Problem, completion: str) -> Reward:
        """Return the reward of a completion; of numbers by name it is their sum."""
        try:
            given: Any = load_function(self.name)(problem, completion)
            components = _by_name(given) if isinstance(given, Mapping) else {}
            value = math.fsum(components.values()) if isinstance(given, Mapping) else float(given)
        except MemoryError:
            raise
        except Exception as error:
            return judged(False, f"{_ERROR}: {type(error).__name__}: {error}")
        if not math.isfinite(value):
            return judged(False, f"{_ERROR} returned {given}")
        return Reward(value, value >= 1, "reward function", 0.0, components=components)


def _by_name(given: Mapping[Any, Any]) -> dict[str, float]:
    return {str(name): float(number) for name, number in given.items()}
