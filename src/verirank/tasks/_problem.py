"""The nouns of the tasks room: a problem, and what every task can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from verirank.config import TaskConfig


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with a checkable answer; `prompt` is the exact text that the model is given."""

    id: str
    prompt: str
    answer: str


class Task(ABC):
    """A family of problems with its prompt format, its answer extraction and its splits."""

    name: ClassVar[str]
    summary: ClassVar[str]
    Config: ClassVar[type[TaskConfig]]
    benches: tuple[str, ...]
    """Names of the evaluation sets, `test` first."""
    max_new_tokens: int
    """The task's own limit on a completion, in tokens."""
    stop: str | None = None
    """A completion ends at the first token whose text holds this string, or at end of sequence."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @classmethod
    def example(cls) -> Problem:
        """Return a problem that shows what the task asks at its default settings."""
        return cls(cls.Config()).training_problem(0, 0)

    @abstractmethod
    def training_problem(self, seed: int, index: int) -> Problem:
        """Return the index-th problem of the endless training stream of a trial's seed."""

    @abstractmethod
    def bench(self, name: str, n: int) -> Sequence[Problem]:
        """Return at most n fixed problems of the split `name`; the same ones at every call.

        Raises:
            InputError: the task has no split of that name.
        """

    @abstractmethod
    def extract(self, completion: str) -> str | None:
        """Return the final answer stated in a completion, or None where none is stated."""
