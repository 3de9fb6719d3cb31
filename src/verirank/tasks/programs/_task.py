"""Programs as answers: rewarded where they pass the problem's tests in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from verirank.config import InputError, RunFailedError, TaskConfig, is_problem_file
from verirank.tasks._problem import Problem, Task
from verirank.tasks._templates import ChatTemplate, conclusion, opens_thought, render_prompt
from verirank.tasks._training_stream import (
    bench_problems,
    digest_of,
    split_problems,
    stream_problem,
)
from verirank.tasks.data_files import read_rows
from verirank.tasks.programs._rows import program_problems
from verirank.tasks.programs._source import source_in
from verirank.verifier import NO_SANDBOX, SANDBOXED_TESTS, Reward, Verifier, sandbox_lacks

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_OWN = ("test", "selection")
_INSTRUCTION = "Reply with the whole program in a ```python block."


class CodeConfig(TaskConfig):
    """Where problems with tests are, how they are prompted, and what holds the answers' code.

    `problems` is a file of rows like MBPP's or HumanEval's. `isolation` of `namespaces` runs code
    only where the kernel confines it wholly; `limits` accepts to run it within limits alone, with
    your rights over files and the network, which confines nothing against a hostile program.
    `memory_bytes` is the address space of an answer; its CPU seconds are
    `verifier.deadline_seconds`, rounded up.
    """

    name: str = "code"
    problems: str = "problems.jsonl"
    template: ChatTemplate = "auto"
    instruction: str = _INSTRUCTION
    isolation: Literal["namespaces", "limits"] = "namespaces"
    memory_bytes: int = Field(default=2**29, ge=2**26)


class Code(Task):
    """Programs that have to pass tests; the reward is 1 where all pass, else 0.

    The answer is the last ```python block of a completion, or all of it. It runs in a process of
    its own, the tests in another (docs/problems.md). A tenth of the problems is the bench `test`, a
    tenth `selection`; a bench may also name another file of such problems.

    Raises:
        InputError: the file cannot be used, or code cannot be confined here.
    """

    name: ClassVar[str] = "code"
    summary: ClassVar[str] = "programs that have to pass tests in a sandbox, from rows like MBPP's"
    Config = CodeConfig
    benches = _OWN
    max_new_tokens = 512
    answers_by_value = False

    def __init__(self, config: CodeConfig) -> None:
        super().__init__(config)
        self._in_thought = False
        lacking = sandbox_lacks()
        if lacking and config.isolation == "namespaces":
            raise InputError(
                f"the code of answers cannot be confined here ({lacking}); where it may run with "
                "your rights over files and the network, set task.isolation=limits"
            )
        self._lacking = lacking
        # Reads the file now, so that a mistake in it is reported before a model is loaded.
        _ = self._splits

    @classmethod
    def example(cls) -> Problem:
        """Return a problem as MBPP has it."""
        row = {"text": "Write a function to double a number.", "test_list": ["assert f(2) == 4"]}
        return program_problems([(1, row)], "example")[0]

    def recorded(self) -> dict[str, Any]:
        required = self.config.isolation == "namespaces"
        return {"sandbox": {"isolation": self.config.isolation, "confined": required}}

    def remarks(self) -> tuple[str, ...]:
        if self.config.isolation == "namespaces":
            return ()
        why = self._lacking or "task.isolation asks for no more"
        return (
            f"the code of answers runs within limits alone ({why}): it may read and write what you "
            "may, unless the system holds it otherwise",
        )

    def training_problem(self, seed: int, index: int) -> Problem:
        return stream_problem(self._splits["train"], seed, index)

    def own_problems(self) -> Sequence[Problem]:
        return self._problems

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name in _OWN:
            return bench_problems(self._splits[name], name, n)
        if is_problem_file(name):
            return program_problems(read_rows(name), name)[:n]
        raise InputError(
            f"task {self.name!r} has no bench {name!r}; it has {', '.join(_OWN)}, and any file of "
            "problems with tests"
        )

    def split_sizes(self) -> dict[str, int]:
        return {name: len(problems) for name, problems in self._splits.items()}

    def fingerprint(self) -> str:
        return digest_of(self._problems).hexdigest()

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> str:
        instruction = self.config.instruction
        prompt = render_prompt(problem, self.config.template, tokenizer, instruction)
        self._in_thought = opens_thought(prompt)
        return prompt

    def extract(self, completion: str) -> str | None:
        in_thought = self._in_thought or self.config.template == "r1-distill"
        text = conclusion(completion, in_thought=in_thought)
        return None if text is None else source_in(text)

    def judge(
        self, verifier: Verifier, answers: Sequence[tuple[Problem, str | None]]
    ) -> list[Reward]:
        """Return 1 for each program that passes all tests, else 0.

        Raises:
            RunFailedError: a program was to run confined and could not be.
        """
        limits = {
            "seconds": verifier.config.deadline_seconds,
            "memory_bytes": self.config.memory_bytes,
            "namespaces": self.config.isolation == "namespaces",
        }
        pairs = [
            (json.dumps(json.loads(problem.answer) | {"limits": limits}), answer)
            for problem, answer in answers
        ]
        rewards = verifier.verify_many(pairs, comparison=SANDBOXED_TESTS)
        for reward in rewards:
            if reward.reason.startswith(NO_SANDBOX):
                raise RunFailedError(f"the code of answers cannot be confined: {reward.reason}")
        return rewards

    @cached_property
    def _problems(self) -> list[Problem]:
        return program_problems(read_rows(self.config.problems), self.config.problems)

    @cached_property
    def _splits(self) -> dict[str, list[Problem]]:
        return split_problems(self._problems, self.config.problems)
