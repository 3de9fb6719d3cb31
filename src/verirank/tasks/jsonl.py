"""A task from the user's own file: JSON lines or Parquet with the columns id, problem, answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from random import Random
from typing import ClassVar

from verirank.config import InputError, TaskConfig
from verirank.tasks._problem import Problem, Task
from verirank.tasks._problem_file import read_problems
from verirank.tasks._splits import split_of

_BOX = r"\boxed{"
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_ANSWER_MARK = re.compile(r"answer(?:\s+is\b\s*:?|\s*:)", re.IGNORECASE)


class JsonlConfig(TaskConfig):
    """Where the problems are: `name` is the path of a .jsonl or .parquet file."""

    name: str = "problems.jsonl"


class JsonlTask(Task):
    r"""Problems from a file, prompted as they stand and answered in the last \boxed{...}.

    Rows are split by a hash of their problem's text, whatever its case and spacing: a tenth for
    `test`, a tenth for `selection`, the rest for training. Training goes through its rows in a new
    order every epoch.

    Raises:
        InputError: the file cannot be read, a row is unusable, or there are fewer than three
            different problems.
    """

    name: ClassVar[str] = "jsonl"
    summary: ClassVar[str] = "your own problems: a .jsonl or .parquet file of id, problem, answer"
    Config = JsonlConfig
    benches = ("test", "selection")
    max_new_tokens = 256

    def __init__(self, config: JsonlConfig) -> None:
        super().__init__(config)
        self._splits = _split(read_problems(config.name), config.name)

    @classmethod
    def example(cls) -> Problem:
        """Return what a row of the user's file may look like."""
        return Problem(id="1", prompt="What is 6 times 7?", answer="42")

    def training_problem(self, seed: int, index: int) -> Problem:
        problems = self._splits["train"]
        epoch, place = divmod(index, len(problems))
        return problems[_order(len(problems), seed, epoch)[place]]

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name not in self.benches:
            known = ", ".join(self.benches)
            raise InputError(f"{self.config.name} has no bench {name!r}; it has {known}")
        problems = self._splits[name]
        return Random(name).sample(problems, len(problems))[:n]

    def extract(self, completion: str) -> str | None:
        boxed = _last_box(completion)
        return _after_answer_mark(completion) if boxed is None else boxed.strip() or None


def _split(problems: list[Problem], path: str) -> dict[str, list[Problem]]:
    """Return the splits, of which equal problems share one and none is empty."""
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(_normalised(problem.prompt), []).append(problem)
    if len(groups) < 3:
        raise InputError(f"{path} holds {len(groups)} different problems; it needs three at least")
    splits: dict[str, list[list[Problem]]] = {"train": [], "selection": [], "test": []}
    for text, group in groups.items():
        splits[split_of(text)].append(group)
    _fill(splits, bench_size=2 if len(groups) >= 6 else 1)
    return {name: [*chain.from_iterable(split)] for name, split in splits.items()}


def _normalised(text: str) -> str:
    return " ".join(text.split()).casefold()


def _fill(splits: dict[str, list[list[Problem]]], bench_size: int) -> None:
    """Move problems from the largest split to those too small; an interval needs two problems."""
    for name, split in splits.items():
        while len(split) < (1 if name == "train" else bench_size):
            split.append(max(splits.values(), key=len).pop())


@lru_cache(maxsize=8)
def _order(n: int, seed: int, epoch: int) -> list[int]:
    return Random(f"epoch {seed} {epoch}").sample(range(n), n)


def _after_answer_mark(text: str) -> str | None:
    """Return the line of text after the last "answer is" or "answer:", without markup."""
    marks = list(_ANSWER_MARK.finditer(text))
    if not marks:
        return None
    rest = text[marks[-1].end() :].lstrip("* \n")
    return rest.partition("\n")[0].rstrip("* .") or None


def _last_box(text: str) -> str | None:
    start = len(text)
    while (start := text.rfind(_BOX, 0, start)) >= 0:
        content = _balanced(text, start + len(_BOX))
        if content is not None:
            return content
    return None


def _balanced(text: str, start: int) -> str | None:
    """Return the text up to the brace that closes a group opened before `start`."""
    depth = 1
    for token in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return text[start : token.start()]
    return None
