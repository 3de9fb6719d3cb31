"""A reward written as a plain Python function: `reward(problem, completion)`."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from verirank.config import InputError, RunFailedError
from verirank.tasks._problem import Problem
from verirank.verifier import Reward, Verifier, judged

_ERROR = "error"


@dataclass(frozen=True, slots=True)
class RewardFunction:
    """A function of a problem and a completion, which the verifier's workers import and call.

    Args:
        source: the absolute path of its file, or its module's name.
        function: its name there.
    """

    source: str
    function: str

    @classmethod
    def named(cls, name: str) -> RewardFunction:
        """Return the function that `FILE.py:FUNCTION` or `MODULE:FUNCTION` names.

        Raises:
            InputError: the name has another form, or the function cannot be imported.
        """
        source, separator, function = name.rpartition(":")
        if not separator or not source or not function:
            raise InputError(f"task.reward = {name!r}: write FILE.py:FUNCTION or MODULE:FUNCTION")
        found = cls(str(Path(source).absolute()) if source.endswith(".py") else source, function)
        try:
            module = _module(found.source)
        except Exception as error:
            raise InputError(f"task.reward: cannot import {source}: {error}") from None
        if not callable(getattr(module, function, None)):
            raise InputError(f"task.reward: {source} has no function {function!r}")
        return found

    def load(self) -> Callable[[Problem, str], Any]:
        """Import the function."""
        return getattr(_module(self.source), self.function)

    def code(self) -> bytes:
        """Return the bytes of the file that holds the function, which identify it."""
        if self.source.endswith(".py"):
            return Path(self.source).read_bytes()
        file = getattr(import_module(self.load().__module__), "__file__", None)
        return Path(file).read_bytes() if file else f"{self.source}:{self.function}".encode()

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
                raise RunFailedError(
                    f"task.reward {self.source}:{self.function} on problem {problem.id!r}{what}"
                )
        return rewards

    def __call__(self, problem: Problem, completion: str) -> Reward:
        """Return the reward of a completion; of numbers by name it is their sum."""
        try:
            given: Any = self.load()(problem, completion)
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


@lru_cache(maxsize=16)
def _module(source: str) -> Any:
    """Import a module by its name, or a file by its path."""
    if not source.endswith(".py"):
        return import_module(source)
    spec = importlib.util.spec_from_file_location(f"reward_{Path(source).stem}", source)
    if spec is None or spec.loader is None or not Path(source).is_file():
        raise FileNotFoundError("no such file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, among others, look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
