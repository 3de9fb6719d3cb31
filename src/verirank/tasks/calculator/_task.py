"""Chained arithmetic that is too long to work out by heart, with a calculator."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from verirank.config import InputError, TaskConfig
from verirank.tasks._boxed import stated_answer
from verirank.tasks._problem import Problem, Task
from verirank.tasks._splits import Split
from verirank.tasks._templates import ChatTemplate, conclusion, opens_thought, render_prompt
from verirank.tasks.arithmetic import draw_chain
from verirank.tasks.calculator._calculate import MOST_WRITTEN, call_in

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LENGTHS = {"test": (4, 5), "selection": (4, 5), "ood": (6, 6)}
_INSTRUCTION = (
    "Work step by step. Write each step as an expression followed by =, such as 12+7=, and a "
    r"calculator writes its value. Put the final answer within \boxed{}."
)


class CalculatorConfig(TaskConfig):
    """How often the calculator answers in a completion, and how problems are prompted.

    The turn behind the last of `turns` replies ends the completion at its next `=`.
    """

    name: str = "calculator"
    turns: int = Field(default=12, ge=0, le=64)
    template: ChatTemplate = "auto"


class Calculator(Task):
    r"""Sums such as `((12+7)*3-5)*2+9-14=`, of four or five operations, with a calculator.

    Whenever the model ends an expression with `=`, the calculator writes its value and the model
    goes on; where what stands before `=` is no expression, it goes on without one. Only what the
    model wrote is trained. The final answer stands in the last \boxed{...}. `ood` has six
    operations. Splits are kept apart as those of `arithmetic` are.
    """

    name: ClassVar[str] = "calculator"
    summary: ClassVar[str] = "chained sums of four or five operations, with a calculator as a tool"
    Config = CalculatorConfig
    benches = ("test", "ood", "selection")
    max_new_tokens = 96
    stop = "="

    def __init__(self, config: CalculatorConfig) -> None:
        super().__init__(config)
        self.reply_tokens = config.turns * MOST_WRITTEN
        self._in_thought = False

    def remarks(self) -> tuple[str, ...]:
        turns = self.config.turns
        return (f"behind an expression and = a calculator writes the value, {turns} times at most",)

    def training_problem(self, seed: int, index: int) -> Problem:
        return _draw(Random(f"calculator train {seed} {index}"), "train", (4, 5))

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name not in _LENGTHS:
            known = ", ".join(self.benches)
            raise InputError(f"task {self.name!r} has no bench {name!r}; it has {known}")
        split: Split = "selection" if name == "selection" else "test"
        rng = Random(f"calculator {name}")
        problems: dict[str, Problem] = {}
        while len(problems) < n:
            problem = _draw(rng, split, _LENGTHS[name])
            problems[problem.id] = problem
        return list(problems.values())

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> str:
        prompt = render_prompt(problem, self.config.template, tokenizer, _INSTRUCTION)
        self._in_thought = opens_thought(prompt)
        return prompt

    def reply(self, completion: str, turn: int) -> str | None:
        return None if turn >= self.config.turns else call_in(completion) or ""

    def extract(self, completion: str) -> str | None:
        in_thought = self._in_thought or self.config.template == "r1-distill"
        text = conclusion(completion, in_thought=in_thought)
        return None if text is None else stated_answer(text)


def _draw(rng: Random, split: Split, lengths: tuple[int, int]) -> Problem:
    while True:
        chain = draw_chain(rng, rng.randint(*lengths))
        if chain.split == split:
            return Problem(chain.expression, f"{chain.expression}=", str(chain.value))
