"""The nouns of the tasks room: a problem, a bench's settings, and what every task can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from verirank.config import TaskConfig
from verirank.tasks._conversation import Turn
from verirank.verifier import Reward, Verifier

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


_GENERATED = 64
"""Problems of a generator that stand for all of them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with a checkable answer; `Task.render` makes the model's input of it.

    `turns` is the conversation that asks it, where it is more than one message of a user; `prompt`
    is then the text of its last turn. Problems of one `group`, such as a source, a year or a
    template, are not independent: intervals are then over groups.
    """

    id: str
    prompt: str
    answer: str
    turns: tuple[Turn, ...] = ()
    group: str | None = None

    @property
    def text(self) -> str:
        """What is asked, without system prompts: problems of equal text are the same problem."""
        said = [turn.content for turn in self.turns if turn.role in ("user", "assistant")]
        return "\n\n".join(said) or self.prompt


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
    reply_tokens: int = 0
    """The most tokens that replies to a completion take, beside its own; 0 where none comes."""
    is_whole_at_limit: bool = False
    """Whether a completion that reaches the limit is whole, as one token is where one is asked."""
    measures: ClassVar[tuple[str, ...]] = ()
    """Names of what `measured` returns."""
    answers_by_value: bool = True
    """Whether an answer is right by being equal to the gold; else each text is its own answer."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @classmethod
    def example(cls) -> Problem:
        """Return a problem that shows what the task asks at its default settings."""
        return cls(cls.Config()).training_problem(0, 0)

    @abstractmethod
    def training_problem(self, seed: int, index: int) -> Problem:
        """Return the index-th problem of the endless training stream of a trial's seed."""

    def own_problems(self) -> Sequence[Problem]:
        """Return all problems of a set, of any split, or the first that a generator makes."""
        return [self.training_problem(0, index) for index in range(_GENERATED)]

    @abstractmethod
    def bench(self, name: str, n: int) -> Sequence[Problem]:
        """Return at most n fixed problems of the split `name`; the same ones at every call.

        Raises:
            InputError: the task has no split of that name.
        """

    def split_sizes(self) -> dict[str, int]:
        """Return the size of each split of a fixed set; empty where a generator makes problems."""
        return {}

    def fingerprint(self) -> str | None:
        """Return the SHA-256 of the problems of a set; None where seeds and code make them."""
        return None

    def recorded(self) -> dict[str, Any]:
        """Return entries of a run's manifest that tell how the task's rewards came to be."""
        return {}

    def remarks(self) -> tuple[str, ...]:
        """Return what a user should know of the problems, in sentences: columns, repeats, golds."""
        return ()

    def bench_settings(self, name: str) -> BenchSettings:
        """Return how a bench is sampled where a trial leaves it open."""
        return BenchSettings()

    def overlapping(self, name: str) -> frozenset[str]:
        """Return the ids of a bench's problems that stand in the training set too."""
        return frozenset()

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the exact text that a model is given, in training and evaluation alike."""
        return problem.prompt

    def reply(self, completion: str, turn: int) -> str | None:
        """Return what a tool writes behind a turn of the model's that ended in `stop`.

        The model goes on behind it, "" included. Nothing is trained on what was written so.

        Args:
            completion: all of it so far, earlier replies among it.
            turn: how many replies there were.

        Returns:
            The reply, or None where the completion has ended; by default that.
        """
        return None

    def measured(self, right_P: NDArray[np.int64], stated_P: NDArray[np.int64]) -> dict[str, float]:
        """Return the task's own measures of a bench's samples, beside Avg@k and Pass@k.

        Args:
            right_P: each problem's number of right samples.
            stated_P: each problem's number of samples that state an answer.
        """
        return {}

    @abstractmethod
    def extract(self, completion: str) -> str | None:
        """Return the final answer stated in a completion, or None where none is stated."""

    def grade(self, verifier: Verifier, graded: Sequence[tuple[Problem, str]]) -> list[Reward]:
        """Return the reward of each problem's completion: `extract`, then `judge`."""
        return self.judge(verifier, [(problem, self.extract(text)) for problem, text in graded])

    def judge(
        self, verifier: Verifier, answers: Sequence[tuple[Problem, str | None]]
    ) -> list[Reward]:
        """Return the reward of each problem's stated answer; by default a comparison with gold."""
        return verifier.verify_many([(problem.answer, answer) for problem, answer in answers])
