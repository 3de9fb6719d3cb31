"""What goes wrong in training without ending it, by documented thresholds on the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Line = Mapping[str, Any]
"""A line of metrics.jsonl."""


_MEMORY = 50
"""Steps before a step that it is held against."""


@dataclass(frozen=True, slots=True)
class TrainingWarning:
    """A sign that training went wrong: its kind, and the step at which it began."""

    kind: str
    step: int

    def __str__(self) -> str:
        """Return one line for the user."""
        return f"from step {self.step}: {_RULES[self.kind].meaning}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """Holds for `steps` steps in a row; `holds` is given a step and those before it."""

    meaning: str
    steps: int
    holds: Callable[[Line, Sequence[Line]], bool]


def _gradient_explodes(line: Line, before: Sequence[Line]) -> bool:
    norms = [earlier["grad_norm"] for earlier in before if earlier.get("grad_norm")]
    now = line.get("grad_norm")
    return len(norms) >= 10 and now is not None and now > 100 * median(norms)


def _stands_still(line: Line, before: Sequence[Line]) -> bool:
    changed = line.get("served_changed_fraction")
    return changed is not None and changed < 1e-3 and line["groups_used"] > 0


def _of_the_answers(key: str, part: float) -> Callable[[Line, Sequence[Line]], bool]:
    return lambda line, before: line.get(key, 0) >= part * line.get("samples", float("inf"))


def _entropy_collapses(line: Line, before: Sequence[Line]) -> bool:
    entropy = line.get("entropy")
    return entropy is not None and entropy < 0.01 and line["reward_mean"] < 0.5


_RULES = {
    "no signal": _Rule(
        "all rewards of every group are equal, so nothing is learned",
        5,
        lambda line, before: line.get("groups_used") == 0,
    ),
    "cut off": _Rule(
        "95 % of the completions or more reach the token limit, and most rewards are missed: where "
        "right answers need more tokens, raise sampling.max_new_tokens",
        5,
        lambda line, before: (
            line.get("truncated_fraction", 0.0) >= 0.95 and line["reward_mean"] < 0.5
        ),
    ),
    "entropy collapse": _Rule(
        "the entropy is below 0.01 nats a token though most rewards are missed",
        5,
        _entropy_collapses,
    ),
    "gradient norm": _Rule(
        "the gradient's norm is over 100 times the median of the 50 steps before",
        3,
        _gradient_explodes,
    ),
    "weights do not move": _Rule(
        "less than 0.1 % of the served weights differ from the base's: the learning rate is too "
        "small for their dtype",
        10,
        _stands_still,
    ),
    "sampler drift": _Rule(
        "the KL from sampler to trainer is above 0.1 nats a token",
        5,
        lambda line, before: (line.get("kl_train_sampler") or 0.0) > 0.1,
    ),
    "unverified answers": _Rule(
        "a fifth of the answers or more stay unverified: the machine is busy",
        3,
        _of_the_answers("unverified", 0.2),
    ),
    "failing verifier": _Rule(
        "half of the answers or more end at the verifier's deadline or memory limit, or its "
        "process dies: see verifier.deadline_seconds and verifier.memory_bytes",
        3,
        _of_the_answers("verifier_failures", 0.5),
    ),
}
"""A run goes on in all of these cases. It ends where a gradient, a weight or a log-probability is
no finite number, or the KL from sampler to trainer exceeds `sampling.kl_limit`."""


def training_warnings(lines: Sequence[Line]) -> list[TrainingWarning]:
    """Return what went wrong in a run's training, each kind once, in the order of the steps.

    Args:
        lines: of metrics.jsonl.
    """
    warnings = (_first(kind, rule, lines) for kind, rule in _RULES.items())
    return sorted((w for w in warnings if w is not None), key=lambda warning: warning.step)


def _first(kind: str, rule: _Rule, lines: Sequence[Line]) -> TrainingWarning | None:
    """Return where a rule begins to hold for as many steps in a row as it asks for."""
    row = 0
    for index, line in enumerate(lines):
        row = row + 1 if rule.holds(line, lines[max(0, index - _MEMORY) : index]) else 0
        if row == rule.steps:
            return TrainingWarning(kind, lines[index - row + 1]["step"])
    return None
