"""Plain few-shot sums: small pretrained models answer some, and learn by RL to answer more."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal, get_args

from verirank.config import InputError, TaskConfig
from verirank.tasks._problem import Problem, Task
from verirank.tasks._splits import Split, split_of

_SHOWN = 4
_NUMBER = re.compile(r"-?\d+", re.ASCII)
_BENCHES: dict[str, Split] = {"test": "test", "selection": "selection"}

FamilyName = Literal[
    "two-digit-addition",
    "remainder",
    "small-subtraction",
    "two-digit-times-one-digit",
    "one-digit-addition",
]


class FewShotArithmeticConfig(TaskConfig):
    """Which family of sums is asked; the shown examples are of the same one."""

    name: str = "few-shot-arithmetic"
    family: FamilyName = "two-digit-addition"


@dataclass(frozen=True, slots=True)
class _Family:
    question: str
    answer: Callable[[int, int], int]
    operands: tuple[tuple[int, int], ...]

    def split(self, a: int, b: int) -> Split:
        """Return the same split for both orders of the operands."""
        return split_of(f"{self.question} {min(a, b)} {max(a, b)}")


def _pairs(first: range, second: range) -> tuple[tuple[int, int], ...]:
    return tuple((a, b) for a in first for b in second)


_FAMILIES: dict[str, _Family] = {
    "two-digit-addition": _Family(
        "What is {a} + {b}?", lambda a, b: a + b, _pairs(range(10, 100), range(10, 100))
    ),
    "remainder": _Family(
        "What is the remainder when {a} is divided by {b}?",
        lambda a, b: a % b,
        _pairs(range(10, 100), range(2, 10)),
    ),
    "small-subtraction": _Family(
        "What is {a} - {b}?",
        lambda a, b: a - b,
        tuple((a, b) for a, b in _pairs(range(2, 31), range(1, 30)) if b < a),
    ),
    "two-digit-times-one-digit": _Family(
        "What is {a} * {b}?", lambda a, b: a * b, _pairs(range(10, 100), range(2, 10))
    ),
    "one-digit-addition": _Family(
        "What is {a} + {b}?", lambda a, b: a + b, _pairs(range(10), range(10))
    ),
}


class FewShotArithmetic(Task):
    """Sums of one family after four worked examples, to be answered with the number alone.

    The splits are kept apart by a hash of the operands; every shown example is a training problem
    other than the one asked, in either order.
    """

    name: ClassVar[str] = "few-shot-arithmetic"
    summary: ClassVar[str] = "one family of small sums after four examples, for pretrained models"
    Config = FewShotArithmeticConfig
    benches = tuple(_BENCHES)
    max_new_tokens = 6
    stop = "\n"

    def __init__(self, config: FewShotArithmeticConfig) -> None:
        super().__init__(config)
        self._family = _FAMILIES[config.family]
        self._splits: dict[Split, list[tuple[int, int]]] = {s: [] for s in get_args(Split)}
        for a, b in self._family.operands:
            self._splits[self._family.split(a, b)].append((a, b))

    def training_problem(self, seed: int, index: int) -> Problem:
        rng = Random(f"{self.config.family} train {seed} {index}")
        return self._problem(rng.choice(self._splits["train"]), rng)

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name not in _BENCHES:
            known = ", ".join(self.benches)
            raise InputError(f"task {self.name!r} has no bench {name!r}; it has {known}")
        operands = list(self._splits[_BENCHES[name]])
        rng = Random(f"{self.config.family} {name}")
        rng.shuffle(operands)
        return [self._problem(asked, rng) for asked in operands[:n]]

    def extract(self, completion: str) -> str | None:
        line = completion.partition("\n")[0].strip().removesuffix(".").rstrip()
        return line if _NUMBER.fullmatch(line) else None

    def _problem(self, asked: tuple[int, int], rng: Random) -> Problem:
        shown = self._shown(asked, rng)
        examples = [f"{self._ask(*pair)} {self._family.answer(*pair)}\n\n" for pair in shown]
        return Problem(
            id=" ".join(map(str, (self.config.family, *asked))),
            prompt="".join(examples) + self._ask(*asked),
            answer=str(self._family.answer(*asked)),
        )

    def _shown(self, asked: tuple[int, int], rng: Random) -> list[tuple[int, int]]:
        while True:
            drawn = rng.sample(self._splits["train"], _SHOWN + 1)
            shown = [pair for pair in drawn if sorted(pair) != sorted(asked)]
            # Too few are left where both orders of the asked pair were drawn.
            if len(shown) >= _SHOWN:
                return shown[:_SHOWN]

    def _ask(self, a: int, b: int) -> str:
        return f"Question: {self._family.question.format(a=a, b=b)}\nAnswer:"
