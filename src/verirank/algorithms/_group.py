"""The noun that an algorithm works on."""

from __future__ import annotations

from dataclasses import dataclass

from verirank.sampling import Completion
from verirank.tasks import Problem
from verirank.verifier import Reward


@dataclass(frozen=True, slots=True)
class Group:
    """The G completions of one problem, with the reward of each."""

    problem: Problem
    completions: tuple[Completion, ...]
    rewards: tuple[Reward, ...]
