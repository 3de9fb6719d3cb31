"""Competition mathematics: a training set by name or Hub id, and the benches of the field."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import model_validator

from verirank.tasks._columns import Columns
from verirank.tasks._problem import Problem
from verirank.tasks._problem_set_task import ProblemSetConfig, ProblemSetTask
from verirank.tasks._problem_sets import HubSet, find_training_set, read_training_set


class MathConfig(ProblemSetConfig):
    """Which problems are trained on.

    `train` is a named set (`verirank data list`) or the id of a data set on the Hub, of which
    `revision`, `files` (a pattern of its files' paths) and `columns` then say how it is read.
    """

    name: str = "math"
    train: str = "dapo-math-17k"
    revision: str | None = None
    files: str | None = None
    columns: Columns | None = None

    @model_validator(mode="after")
    def _only_a_hub_id_is_described(self) -> Self:
        if self.train.endswith((".jsonl", ".parquet", ".gz")):
            raise ValueError(f"a file is a task of its own: task.name={self.train}")
        if self._description() and find_training_set(self.train):
            raise ValueError(
                f"{self.train} is a named set; only a Hub id takes revision, files and columns"
            )
        return self

    @property
    def hub_set(self) -> HubSet:
        """How `train` is read where it is a Hub id."""
        return HubSet(hub=self.train, **self._description())

    def _description(self) -> dict[str, Any]:
        settings = {"revision": self.revision, "files": self.files, "columns": self.columns}
        return {key: value for key, value in settings.items() if value is not None}


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
        return read_training_set(self.config.train, self.config.data_dir, self.config.hub_set)
