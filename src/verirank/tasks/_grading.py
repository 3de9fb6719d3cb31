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
        task: extracts the stated answers and says what judges them.
        verifier: judges them, in workers that can be killed.
        problems: P problems.
        texts: the completions of each problem.
    """
    answers = [
        (problem, task.extract(text))
        for problem, group in zip(problems, texts, strict=True)
        for text in group
    ]
    rewards = iter(task.judge(verifier, answers))
    return [[next(rewards) for _ in group] for group in texts]
