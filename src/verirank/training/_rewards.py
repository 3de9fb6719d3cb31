"""What completions earn in training: the task's rewards, or those of a control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from verirank.config import InputError, TrialConfig
from verirank.sampling import Completion
from verirank.tasks import Problem, Task, grade
from verirank.verifier import Reward, Verifier

Rewards = Callable[[Sequence[Problem], Sequence[Sequence[Completion]]], list[list[Reward]]]
"""Maps P problems, and the completions of each, to the reward of every completion."""


def rewards_of(
    config: TrialConfig, task: Task, verifier: Verifier, base_reward: float | None
) -> Rewards:
    """Return what a trial's completions earn.

    Args:
        config: the trial's, which may be a control.
        task: turns completions into rewards.
        verifier: compares answers.
        base_reward: the base's mean reward on training problems, which random rewards have.

    Raises:
        InputError: rewards are to be random, and the base's mean is not known.
    """
    if config.control == "format-reward":
        return lambda _, groups: [[_of_format(task, c) for c in group] for group in groups]
    if config.control == "random-reward":
        if base_reward is None:
            raise InputError("control = 'random-reward' needs the base's reward; train a new run")
        return lambda _, groups: [[_random(c, base_reward) for c in group] for group in groups]
    return lambda problems, groups: grade(
        task, verifier, problems, [[completion.text for completion in group] for group in groups]
    )


def _of_format(task: Task, completion: Completion) -> Reward:
    stated = task.extract(completion.text) is not None
    return Reward(float(stated), stated, "format-reward", 0.0)


def _random(completion: Completion, chance: float) -> Reward:
    """Return a reward that the completion's own seed draws, whatever its text."""
    drawn = Random(f"random-reward {completion.seed}").random() < chance
    return Reward(float(drawn), drawn, "random-reward", 0.0)
