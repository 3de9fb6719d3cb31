"""What the tasks over a fixed set of problems share: splits, named benches, template, answers."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from verirank.config import InputError, TaskConfig
from verirank.tasks._boxed import stated_answer
from verirank.tasks._overlap import find_overlap
from verirank.tasks._problem import BenchSettings, Problem, Task
from verirank.tasks._problem_sets import benches, find_bench, read_bench
from verirank.tasks._templates import Template, render_prompt
from verirank.tasks._training_stream import split_problems, stream_problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_OWN = ("test", "selection")


class ProblemSetConfig(TaskConfig):
    """How problems are put to a model, and where the named sets are read.

    `data_dir` is a folder with `train/` and `bench/` files, read instead of the Hub.
    """

    template: Template = "chat"
    data_dir: str | None = None


class ProblemSetTask(Task):
    r"""Problems of a training set and the named benches, answered in the last \boxed{...}.

    The training set is split by its problems' text: a tenth for the bench `test`, a tenth for
    `selection`, the rest for training, which goes through its problems in a new order every epoch.
    It is read when it is first asked for, so that a named bench can be sampled without it.
    """

    benches = (*_OWN, *benches())

    @abstractmethod
    def training_set(self) -> list[Problem]:
        """Return every problem of the training set, before it is split."""

    @property
    @abstractmethod
    def source(self) -> str:
        """The training set's name, for errors."""

    def training_problem(self, seed: int, index: int) -> Problem:
        return stream_problem(self._splits["train"], seed, index)

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name in _OWN:
            problems = self._splits[name]
            return Random(name).sample(problems, len(problems))[:n]
        if find_bench(name) is None:
            raise InputError(
                f"{self.source} has no bench {name!r}; it has {', '.join(self.benches)}"
            )
        return read_bench(name, self.config.data_dir)[:n]

    def bench_settings(self, name: str) -> BenchSettings:
        bench = find_bench(name)
        return bench.settings if bench else BenchSettings()

    def overlapping(self, name: str) -> frozenset[str]:
        if name in _OWN:
            return frozenset()
        problems = read_bench(name, self.config.data_dir)
        return frozenset(find_overlap(self._problems, problems).ids)

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for problem in self._problems:
            digest.update(json.dumps([problem.id, problem.prompt, problem.answer]).encode())
        return digest.hexdigest()

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> str:
        return render_prompt(problem.prompt, self.config.template, tokenizer)

    def extract(self, completion: str) -> str | None:
        return stated_answer(completion)

    @cached_property
    def _problems(self) -> list[Problem]:
        return self.training_set()

    @cached_property
    def _splits(self) -> dict[str, list[Problem]]:
        return split_problems(self._problems, self.source)
