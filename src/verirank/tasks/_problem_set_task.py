"""Tasks over a fixed set of problems: splits, named benches, prompts, answers, rewards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from verirank.config import InputError, TaskConfig
from verirank.tasks._answer_formats import (
    INSTRUCTIONS,
    AnswerFormat,
    read_answer,
    written_answer,
)
from verirank.tasks._overlap import find_overlap
from verirank.tasks._problem import BenchSettings, Problem, Task
from verirank.tasks._problem_sets import bench_names, find_bench, read_bench
from verirank.tasks._remarks import remarks_on
from verirank.tasks._reward_function import RewardFunction
from verirank.tasks._templates import (
    Template,
    conclusion,
    few_shot_prompt,
    opens_thought,
    render_prompt,
)
from verirank.tasks._training_stream import (
    bench_problems,
    digest_of,
    split_problems,
    stream_problem,
)
from verirank.verifier import Reward, Verifier

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_OWN = ("test", "selection")
_SHOTS = 4


class ProblemSetConfig(TaskConfig):
    """How problems are prompted, answered and rewarded, and where the named sets are read.

    `template` and `answer_format` are described in docs/problems.md. `reward` names a Python
    function, `FILE.py:FUNCTION` or `MODULE:FUNCTION`, called as `reward(problem, completion)` in
    the verifier's workers; it returns a number, or numbers by name, whose sum is the reward. None
    compares the stated answer with the gold answer. `instruction` replaces the sentence on how to
    answer that follows a problem; conversations have none by default. `data_dir` is a folder with
    `train/` and `bench/` files, read instead of the Hub.
    """

    template: Template = "chat"
    answer_format: AnswerFormat = "boxed"
    reward: str | None = None
    instruction: str | None = None
    data_dir: str | None = None


class ProblemSetTask(Task):
    """Problems of a training set and the named benches.

    The training set is split by its problems' text: a tenth for the bench `test`, a tenth for
    `selection`, the rest for training, which goes through its problems in a new order every epoch.
    It is read when it is first asked for, so that a named bench can be sampled without it.
    """

    benches = (*_OWN, *bench_names())

    def __init__(self, config: ProblemSetConfig) -> None:
        super().__init__(config)
        self.stop = "\n" if config.template == "few-shot" else None
        self.answers_by_value = config.reward is None
        self._reward = RewardFunction.named(config.reward) if config.reward else None
        self._in_thought = False
        self._remarks: dict[str, None] = {}

    def remark(self, said: str) -> None:
        """Keep a sentence for `remarks`."""
        self._remarks[said] = None

    def remarks(self) -> tuple[str, ...]:
        _ = self._problems
        return tuple(self._remarks)

    @abstractmethod
    def training_set(self) -> list[Problem]:
        """Return every problem of the training set, before it is split."""

    @property
    @abstractmethod
    def source(self) -> str:
        """The training set's name, for errors."""

    def training_problem(self, seed: int, index: int) -> Problem:
        return stream_problem(self._splits["train"], seed, index)

    def own_problems(self) -> Sequence[Problem]:
        return self._problems

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name in _OWN:
            return bench_problems(self._splits[name], name, n)
        if name not in self.benches and find_bench(name) is None:
            raise InputError(
                f"{self.source} has no bench {name!r}; it has {', '.join(self.benches)}"
            )
        return read_bench(name, self.config.data_dir)[:n]

    def split_sizes(self) -> dict[str, int]:
        return {name: len(problems) for name, problems in self._splits.items()}

    def bench_settings(self, name: str) -> BenchSettings:
        bench = find_bench(name)
        return bench.settings if bench else BenchSettings()

    def overlapping(self, name: str) -> frozenset[str]:
        if name in _OWN:
            return frozenset()
        problems = read_bench(name, self.config.data_dir)
        return frozenset(find_overlap(self._problems, problems).ids)

    def fingerprint(self) -> str:
        digest = digest_of(self._problems)
        if self._reward:
            digest.update(self._reward.code())
        return digest.hexdigest()

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> str:
        form = self.config.answer_format
        if self.config.template == "few-shot":
            return few_shot_prompt(problem.prompt, self._examples(problem), written_answer(form))
        prompt = render_prompt(
            problem, self.config.template, tokenizer, self._instruction(problem, form)
        )
        self._in_thought = opens_thought(prompt)
        return prompt

    def extract(self, completion: str) -> str | None:
        form = self.config.answer_format
        if form == "free":
            return read_answer(completion, form)
        in_thought = self._in_thought or self.config.template == "r1-distill"
        text = conclusion(completion, in_thought=in_thought)
        return None if text is None else read_answer(text, form)

    def grade(self, verifier: Verifier, graded: Sequence[tuple[Problem, str]]) -> list[Reward]:
        if self._reward is None:
            return super().grade(verifier, graded)
        return self._reward.grade(verifier, graded)

    def _instruction(self, problem: Problem, form: AnswerFormat) -> str:
        if self.config.instruction is not None:
            return self.config.instruction
        # A conversation is given as it is: its own turns say how to answer.
        return "" if problem.turns else INSTRUCTIONS[form]

    def _examples(self, asked: Problem) -> list[Problem]:
        """Return the solved problems that are shown before another one."""
        train = self._splits["train"]
        drawn = Random("few-shot").sample(train, min(_SHOTS + 1, len(train)))
        return [problem for problem in drawn if problem.prompt != asked.prompt][:_SHOTS]

    @cached_property
    def _problems(self) -> list[Problem]:
        problems = self.training_set()
        form = "free" if self._reward else self.config.answer_format
        for said in remarks_on(problems, form):
            self.remark(said)
        if any(problem.turns for problem in problems) and self.config.instruction is None:
            self.remark(
                "prompts are conversations and are given as they are; task.instruction adds a "
                "sentence on how to answer"
            )
        return problems

    @cached_property
    def _splits(self) -> dict[str, list[Problem]]:
        return split_problems(self._problems, self.source)
