"""From the completions of a batch to their rewards."""

from __future__ import annotations

from collections.abc import Sequence

from verirank.tasks._problem import Problem, Task
from verirank.verifier import Reward, Verifier


def grade(
    task: Task, verifier: Verifier, problems: Sequence[Problem], texts: Sequence[Sequence[str]]
) -> list[list[Reward]]:
    """Return the reward of every completion, one list a problem.

    Args:
        task: turns a completion into a reward.
        verifier: compares answers in worker processes.
        problems: P problems.
        texts: the completions of each problem.
    """
    graded = [
        (problem, text) for problem, group in zip(problems, texts, strict=True) for text in group
    ]
    rewards = iter(task.grade(verifier, graded))
    return [[next(rewards) for _ in group] for group in texts]
