"""From a completion's text to a reward: the task extracts the answer, the verifier judges it."""

from __future__ import annotations

from collections.abc import Sequence

from verirank.tasks._problem import Problem, Task
from verirank.verifier import Reward, Verifier


def grade(
    task: Task, verifier: Verifier, problems: Sequence[Problem], texts: Sequence[Sequence[str]]
) -> list[list[Reward]]:
    """Return the reward of every completion, one list a problem.

    Args:
        task: extracts the stated answers.
        verifier: judges them against the gold answers.
        problems: P problems.
        texts: the completions of each problem.
    """
    pairs = [
        (problem.answer, task.extract(text))
        for problem, group in zip(problems, texts, strict=True)
        for text in group
    ]
    rewards = iter(verifier.verify_many(pairs))
    return [[next(rewards) for _ in group] for group in texts]
