"""Chained arithmetic with worked steps: small enough for the micro model to learn by RL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import ClassVar, NamedTuple

from verirank.config import InputError, TaskConfig
from verirank.tasks._problem import Problem, Task
from verirank.tasks._splits import Split, split_of
from verirank.tasks._templates import conclusion

_ANSWER = re.compile(r"\\boxed\{(-?\d+)\}$")
_LENGTHS = {"test": (2, 3), "selection": (2, 3), "ood": (4, 4)}


class Arithmetic(Task):
    r"""Sums such as `(12+7)*3-5=`, to be answered `<think>12+7=19;...</think>\boxed{52}`.

    Training, selection and test chains have two or three operations and are kept apart by a hash of
    the first two, so that no longer chain of one split begins with a chain of another; `ood` has
    four operations, more than any problem of the RL training stream.
    """

    name: ClassVar[str] = "arithmetic"
    summary: ClassVar[str] = "chained sums of two or three operations; four out of distribution"
    Config = TaskConfig
    benches = ("test", "ood", "selection")
    max_new_tokens = 64

    def training_problem(self, seed: int, index: int) -> Problem:
        return _draw(Random(f"arithmetic train {seed} {index}"), "train", (2, 3))

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name not in _LENGTHS:
            known = ", ".join(self.benches)
            raise InputError(f"task 'arithmetic' has no bench {name!r}; it has {known}")
        split: Split = "selection" if name == "selection" else "test"
        rng = Random(f"arithmetic {name}")
        problems: dict[str, Problem] = {}
        # Chains are finite in number: draws that find nothing new end the search.
        for _ in range(50 * n):
            problem = _draw(rng, split, _LENGTHS[name])
            problems[problem.id] = problem
            if len(problems) == n:
                break
        return list(problems.values())

    def extract(self, completion: str) -> str | None:
        # A model that is cut off while it thinks has stated no final answer.
        concluded = conclusion(completion, in_thought=False)
        match = _ANSWER.search(concluded.strip()) if concluded is not None else None
        return match.group(1) if match else None


class Chain(NamedTuple):
    """An expression with the steps that work it out, such as `12+7=19`, and its value."""

    expression: str
    steps: list[str]
    value: int

    @property
    def split(self) -> Split:
        """The split of the chain and of every longer one that begins with it."""
        return split_of(";".join(self.steps[:2]))


def draw_chain(rng: Random, operations: int) -> Chain:
    """Return a chain of so many operations.

    Values stay within -99 to 999 and products are by 2 to 5, so that every step is learnable.
    """
    value = rng.randint(2, 60)
    expression, steps, is_sum = str(value), [], False
    for _ in range(operations):
        operator, operand, result = _step(rng, value)
        if operator == "*" and is_sum:
            expression = f"({expression})"
        expression += f"{operator}{operand}"
        steps.append(f"{value}{operator}{operand}={result}")
        value, is_sum = result, operator != "*"
    return Chain(expression, steps, value)


def _step(rng: Random, value: int) -> tuple[str, int, int]:
    while True:
        operator = rng.choice("+-*")
        operand = rng.randint(2, 5) if operator == "*" else rng.randint(2, 30)
        result = {"+": value + operand, "-": value - operand, "*": value * operand}[operator]
        if -99 <= result <= 999:
            return operator, operand, result


def _draw(rng: Random, split: Split, lengths: tuple[int, int]) -> Problem:
    while True:
        chain = draw_chain(rng, rng.randint(*lengths))
        if chain.split == split:
            prompt = f"{chain.expression}="
            return Problem(id=chain.expression, prompt=prompt, answer=str(chain.value))
