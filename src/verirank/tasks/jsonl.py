"""A task from the user's own file: JSON lines or Parquet, by the names of its columns."""

from __future__ import annotations

from typing import ClassVar

from verirank.tasks._columns import Columns
from verirank.tasks._problem import Problem
from verirank.tasks._problem_file import read_problems
from verirank.tasks._problem_set_task import ProblemSetConfig, ProblemSetTask
from verirank.tasks._templates import Template


class JsonlConfig(ProblemSetConfig):
    """Where the problems are: `name` is the path of a .jsonl or .parquet file."""

    name: str = "problems.jsonl"
    template: Template = "plain"
    columns: Columns = Columns()


class JsonlTask(ProblemSetTask):
    r"""Problems from a file, prompted as they stand and answered in the last \boxed{...}.

    Raises:
        InputError: the file cannot be read, a row is unusable, or there are fewer than three
            different problems.
    """

    name: ClassVar[str] = "jsonl"
    summary: ClassVar[str] = "your own problems: a .jsonl or .parquet file of id, problem, answer"
    Config = JsonlConfig
    max_new_tokens = 256

    def __init__(self, config: JsonlConfig) -> None:
        super().__init__(config)
        # A file that cannot be used is told of before anything else is loaded.
        _ = self._splits

    @classmethod
    def example(cls) -> Problem:
        """Return what a row of the user's file may look like."""
        return Problem(id="1", prompt="What is 6 times 7?", answer="42")

    @property
    def source(self) -> str:
        return self.config.name

    def training_set(self) -> list[Problem]:
        return read_problems(self.config.name, self.config.columns)
