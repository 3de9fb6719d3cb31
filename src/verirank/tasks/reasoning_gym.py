"""Any generator of the reasoning-gym package, judged by the generator's own scorer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from verirank.config import InputError, TaskConfig, nearest
from verirank.tasks._answer_formats import INSTRUCTIONS
from verirank.tasks._boxed import stated_answer
from verirank.tasks._problem import Problem, Task
from verirank.tasks._splits import Split, split_of
from verirank.tasks._templates import ChatTemplate, conclusion, opens_thought, render_prompt
from verirank.verifier import Reward, Verifier

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_INSTALL = "pip install reasoning-gym==0.1.25"
_SCORER = "verirank.tasks._reasoning_gym_scorer:score"
_SPLITS: dict[str, Split] = {"test": "test", "selection": "selection"}
_DRAWS = 200


class ReasoningGymConfig(TaskConfig):
    """Which generator makes the problems, and with which of its options."""

    name: str = "reasoning-gym"
    generator: str = "chain_sum"
    options: dict[str, Any] = Field(default_factory=dict)
    template: ChatTemplate = "chat"


class ReasoningGym(Task):
    r"""Problems made by a generator of reasoning-gym, answered in the last \boxed{...}.

    The splits are kept apart by a hash of the question. An answer is right where the generator's
    scorer gives it the full score of 1; part scores count as wrong.

    Raises:
        InputError: the package is not installed, or has no such generator or option.
    """

    name: ClassVar[str] = "reasoning-gym"
    summary: ClassVar[str] = "any generator of the reasoning-gym package, with its own scorer"
    Config = ReasoningGymConfig
    benches = tuple(_SPLITS)
    max_new_tokens = 1024
    answers_by_value = False

    def __init__(self, config: ReasoningGymConfig) -> None:
        super().__init__(config)
        self._in_thought = False
        self._made(0)

    @classmethod
    def example(cls) -> Problem:
        """Return a problem like those of the generator `chain_sum`."""
        return Problem(
            id="chain_sum-0",
            prompt="State the final answer to the following arithmetic problem: 4 + 3 =",
            answer="7",
        )

    def training_problem(self, seed: int, index: int) -> Problem:
        return next(self._draws("train", f"train {seed} {index}"))

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        if name not in _SPLITS:
            known = ", ".join(self.benches)
            raise InputError(f"task {self.name!r} has no bench {name!r}; it has {known}")
        problems: dict[str, Problem] = {}
        draws = self._draws(_SPLITS[name], name)
        # Some generators know few questions: draws that find nothing new end the search.
        for _, problem in zip(range(10 * n), draws, strict=False):
            problems.setdefault(problem.prompt, problem)
            if len(problems) == n:
                break
        return list(problems.values())

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> str:
        prompt = render_prompt(problem, self.config.template, tokenizer, INSTRUCTIONS["boxed"])
        self._in_thought = opens_thought(prompt)
        return prompt

    def extract(self, completion: str) -> str | None:
        in_thought = self._in_thought or self.config.template == "r1-distill"
        text = conclusion(completion, in_thought=in_thought)
        return None if text is None else stated_answer(text)

    def judge(
        self, verifier: Verifier, answers: Sequence[tuple[Problem, str | None]]
    ) -> list[Reward]:
        """Return the reward of each answer by the generator's scorer, in the verifier's workers."""
        pairs = [(self._named(problem), answer) for problem, answer in answers]
        return verifier.verify_many(pairs, comparison=_SCORER)

    def _draws(self, split: Split, stream: str) -> Iterator[Problem]:
        """Yield the stream's problems of a split.

        Raises:
            InputError: many draws in a row are of other splits.
        """
        missed = draw = 0
        while missed < _DRAWS:
            problem = self._made(_seed(f"{self.config.generator} {stream} {draw}"))
            draw += 1
            missed += 1
            if split_of(problem.prompt) == split:
                missed = 0
                yield problem
        raise InputError(
            f"generator {self.config.generator!r} makes too few different questions for a {split} "
            "split; widen task.options"
        )

    def _made(self, seed: int) -> Problem:
        gym, generator = _package(), self.config.generator
        if generator not in gym.factory.DATASETS:
            known = nearest(generator, gym.factory.DATASETS)
            raise InputError(f"reasoning-gym has no generator {generator!r}{known}")
        try:
            dataset = gym.create_dataset(generator, seed=seed, size=1, **self.config.options)
        except (TypeError, ValueError, AssertionError) as error:
            raise InputError(f"task.options of generator {generator!r}: {error}") from None
        entry = dataset[0]
        return Problem(f"{generator}-{seed}", entry["question"], str(entry["answer"]))

    def _named(self, problem: Problem) -> str:
        generator, _, seed = problem.id.rpartition("-")
        spec = {"generator": generator, "options": self.config.options, "seed": int(seed)}
        return json.dumps(spec)


def _package() -> Any:
    try:
        return import_module("reasoning_gym")
    except ImportError as error:
        raise InputError(f"task 'reasoning-gym' needs its package ({error}): {_INSTALL}") from None


def _seed(stream: str) -> int:
    digest = hashlib.blake2b(stream.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1
