"""Competition mathematics: a training set by name or Hub id, and the benches of the field."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from verirank.config import is_problem_file
from verirank.tasks._problem import Problem
from verirank.tasks._problem_set_task import ProblemSetConfig, ProblemSetTask
from verirank.tasks._problem_sets import HubSettings, find_training_set, read_training_set


class MathConfig(ProblemSetConfig, HubSettings):
    """Which problems are trained on.

    `train` is a named set (`verirank data list`) or the id of a data set on the Hub, of which
    `revision`, `split`, `subset`, `files` and `columns` then say how it is read.
    """

    name: str = "math"
    train: str = "dapo-math-17k"

    @model_validator(mode="after")
    def _only_a_hub_id_is_described(self) -> Self:
        if is_problem_file(self.train):
            raise ValueError(f"a file is a task of its own: task.name={self.train}")
        if self.describing() and find_training_set(self.train):
            raise ValueError(
                f"{self.train} is a named set; only a Hub id takes {', '.join(self.describing())}"
            )
        return self


class Math(ProblemSetTask):
    """A training set by name or Hub id, its own test and selection splits, and the named benches.

    Raises:
        InputError: a set cannot be read, or the training set has fewer than three problems.
    """

    name: ClassVar[str] = "math"
    summary: ClassVar[str] = "DAPO-Math-17k, GSM8K, MATH or any Hub set; AIME, AMC, HMMT and others"
    Config = MathConfig
    max_new_tokens = 4096

    @classmethod
    def example(cls) -> Problem:
        """Return a problem of the kind that the benches ask."""
        return Problem(
            id="example", prompt="Find the sum of the positive divisors of $12$.", answer="28"
        )

    @property
    def source(self) -> str:
        return self.config.train

    def training_set(self) -> list[Problem]:
        return read_training_set(
            self.config.train, self.config.data_dir, self.config.describing(), self.remark
        )
