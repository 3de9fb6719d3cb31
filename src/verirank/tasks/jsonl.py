"""A task from the user's own problems: a file, a folder, or a data set of the Hub."""

from __future__ import annotations

from typing import ClassVar

from verirank.tasks._problem import Problem
from verirank.tasks._problem_set_task import ProblemSetConfig, ProblemSetTask
from verirank.tasks._problem_sets import HubSettings, read_set
from verirank.tasks._templates import Template


class JsonlConfig(ProblemSetConfig, HubSettings):
    """Where the problems are: `name` is a file, a folder, or `owner/name` on the Hub."""

    name: str = "problems.jsonl"
    template: Template = "auto"


class JsonlTask(ProblemSetTask):
    """Problems from files, prompted through the model's chat template where it has one.

    Raises:
        InputError: a file cannot be read, rows are unusable, or there are fewer than three
            different problems.
    """

    name: ClassVar[str] = "jsonl"
    summary: ClassVar[str] = "your own problems: JSON lines, JSON, CSV, Parquet, or a Hub set"
    Config = JsonlConfig
    max_new_tokens = 256

    def __init__(self, config: JsonlConfig) -> None:
        super().__init__(config)
        # Reads the file now, so that a mistake in it is reported before a model is loaded.
        _ = self._splits

    @classmethod
    def example(cls) -> Problem:
        """Return an example row."""
        return Problem(id="1", prompt="What is 6 times 7?", answer="42")

    @property
    def source(self) -> str:
        return self.config.name

    def training_set(self) -> list[Problem]:
        return read_set(self.config.name, self.config.describing(), self.remark)
