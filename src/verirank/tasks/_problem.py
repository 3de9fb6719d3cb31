"""The nouns of the tasks room: a problem, a bench's settings, and what every task can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from verirank.config import TaskConfig
from verirank.verifier import Reward, Verifier

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with a checkable answer; `Task.render` makes the model's input of `prompt`."""

    id: str
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """How a bench is sampled unless a trial says otherwise.

    `problems` is the most that are asked, `samples` the k of Avg@k and Pass@k.
    """

    problems: int = 128
    samples: int = 8
    temperature: float = 1.0


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

    def fingerprint(self) -> str | None:
        """Return the SHA-256 of the problems of a set; None where seeds and code make them."""
        return None

    def bench_settings(self, name: str) -> BenchSettings:
        """Return how a bench is sampled where a trial leaves it open."""
        return BenchSettings()

    def overlapping(self, name: str) -> frozenset[str]:
        """Return the ids of a bench's problems that stand in the training set too."""
        return frozenset()

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the exact text that a model is given, in training and evaluation alike."""
        return problem.prompt

    @abstractmethod
    def extract(self, completion: str) -> str | None:
        """Return the final answer stated in a completion, or None where none is stated."""

    def judge(
        self, verifier: Verifier, answers: Sequence[tuple[Problem, str | None]]
    ) -> list[Reward]:
        """Return the reward of each problem's stated answer; by default a comparison with gold."""
        return verifier.verify_many([(problem.answer, answer) for problem, answer in answers])
