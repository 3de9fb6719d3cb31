"""What an answer earned, and what may grade it in the verifier's workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Reward:
    """What one answer earned.

    `value` is 1.0 for a right answer, else 0.0; a `Grader` gives any number. `reason` is one of:
    exact, numbers equal, numbers differ, several answers, different kind, equal, different, no
    answer, too long, unparsable gold, unparsable answer, deadline, memory (where sympy does not
    hide it as different), crashed, unverified (the machine was too busy, twice); of programs also
    passed, failed, no sandbox: why; of graders what they say.
    `seconds` is what this check took, without the start of a worker and the wait for an idle one; a
    cached verdict keeps its own.
    `rule` names what decided: the gold's kind (docs/verifier.md), math-verify, the task's own
    comparison, or none. `components` are the named numbers whose sum is the value, if a grader has
    such.
    """

    value: float
    correct: bool
    reason: str
    seconds: float
    rule: str = ""
    components: Mapping[str, float] = field(default_factory=dict, hash=False)


def judged(correct: bool, reason: str, rule: str = "none", seconds: float = 0.0) -> Reward:
    """Return the reward of an answer that is right or wrong."""
    return Reward(float(correct), correct, reason, seconds, rule)


class Grader(Protocol):
    """Turns a problem and a completion into a reward, in a worker; hashable and picklable."""

    def load(self) -> object:
        """Import what is needed, once, in the process that workers are forked from."""

    def __call__(self, problem: Any, completion: str, /) -> Reward:
        """Return the reward of a completion; whatever is raised makes it 0, `unparsable answer`."""
        ...


Comparison = str | Grader
"""How a pair is judged: by a function of gold and answer, `module:function`, or by a grader."""
