"""A table of random values, to be learnt by heart through rewards: how many bits, and how soon."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from verirank.config import InputError, TaskConfig
from verirank.statistics import bits_learnt
from verirank.tasks._problem import BenchSettings, Problem, Task
from verirank.tasks._training_stream import stream_problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_END = ";"
_SAMPLES = 16
_SPLITS = ("train", "test", "selection")


class RecallConfig(TaskConfig):
    """How large the table is.

    `keys` numbers have one of `values` values each, drawn evenly; `table` is the number of the
    draw. Before a key stand `shots` pairs that show the form and are none of the table's.
    """

    name: str = "recall"
    keys: int = Field(default=64, ge=2, le=10_000)
    values: int = Field(default=8, ge=2, le=100)
    shots: int = Field(default=4, ge=0, le=16)
    table: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _shots_differ(self) -> Self:
        if self.shots > self.values:
            raise ValueError(f"each of the shots shows another of the {self.values} values")
        return self


class Recall(Task):
    """Keys such as `417=`, each with one right answer that no model can know or work out.

    The reward is 1 for the right value, so that reinforcement learning has to put
    keys x log2(values) bits into the weights. All benches ask the same keys as training: what is
    measured is memory. A completion is one token, or up to three where values have two digits.
    """

    name: ClassVar[str] = "recall"
    summary: ClassVar[str] = "a table of random values, learnt by heart: bits through rewards"
    Config = RecallConfig
    benches = ("test", "selection")
    measures = ("bits_learnt",)

    def __init__(self, config: RecallConfig) -> None:
        super().__init__(config)
        self._digits = len(str(config.values - 1))
        # One token is a single digit's limit; a longer value ends as the pairs that are shown do.
        self.is_whole_at_limit = self._digits == 1
        self.stop = None if self.is_whole_at_limit else _END
        self.max_new_tokens = self._digits + len(self.stop or "")
        rng = Random(f"recall {config.keys} {config.values} {config.table}")
        # Half of the numbers of this width stay out, so that a key has to be known whole.
        width = len(str(2 * (config.keys + config.shots) - 1))
        drawn = rng.sample(range(10**width), config.keys + config.shots)
        numbers = [f"{number:0{width}}" for number in drawn]
        keys, others = numbers[: config.keys], numbers[config.keys :]
        answers = [self._written(rng.randrange(config.values)) for _ in keys]
        self._problems = [
            Problem(id=key, prompt=f"{key}=", answer=answer)
            for key, answer in zip(keys, answers, strict=True)
        ]
        shown = map(self._written, rng.sample(range(config.values), config.shots))
        self._shown = "".join(f"{o}={value}{_END}" for o, value in zip(others, shown, strict=True))

    def _written(self, value: int) -> str:
        return f"{value:0{self._digits}}"

    def training_problem(self, seed: int, index: int) -> Problem:
        return stream_problem(self._problems, seed, index)

    def own_problems(self) -> Sequence[Problem]:
        return self._problems

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name not in self.benches:
            known = ", ".join(self.benches)
            raise InputError(f"task 'recall' has no bench {name!r}; it has {known}")
        return self._problems[:n]

    def bench_settings(self, name: str) -> BenchSettings:
        return BenchSettings(problems=len(self._problems), samples=_SAMPLES)

    def split_sizes(self) -> dict[str, int]:
        return dict.fromkeys(_SPLITS, len(self._problems))

    def remarks(self) -> tuple[str, ...]:
        return ("training, test and selection ask the same keys: what is measured is memory",)

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> str:
        return self._shown + problem.prompt

    def extract(self, completion: str) -> str | None:
        value = completion.partition(_END)[0]
        is_one = len(value) == self._digits and value.isascii() and value.isdigit()
        return value if is_one and int(value) < self.config.values else None

    def measured(self, right_P: NDArray[np.int64], stated_P: NDArray[np.int64]) -> dict[str, float]:
        return {"bits_learnt": bits_learnt(right_P, stated_P, self.config.values)}
