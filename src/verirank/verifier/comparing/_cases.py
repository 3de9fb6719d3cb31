"""Values with conditions, such as x^2 if x < 1 and 2 otherwise."""

from __future__ import annotations

from functools import reduce

from verirank.verifier.comparing._realsets import is_real_set
from verirank.verifier.comparing._relations import Same
from verirank.verifier.reading import REALS, Node

_OTHERWISE = Node("words", leaf="otherwise")


def same_cases(golds: tuple[Node, ...], answers: tuple[Node, ...], same: Same) -> bool:
    """Compare values with their conditions, whatever their order."""
    if len(golds) != len(answers):
        return False
    left = list(_with_all_conditions(answers, golds))
    for value, condition in (row.parts for row in _with_all_conditions(golds, answers)):
        at = (
            at
            for at, (other, others) in enumerate(row.parts for row in left)
            if _same_condition(condition, others, same) and same(value, other)
        )
        if (match := next(at, None)) is None:
            return False
        del left[match]
    return True


def _with_all_conditions(rows: tuple[Node, ...], others: tuple[Node, ...]) -> tuple[Node, ...]:
    """Return rows with the condition that "otherwise" stands for where the others name it."""
    if _OTHERWISE in [row.parts[1] for row in others]:
        return rows
    named = [row.parts[1] for row in rows if row.parts[1] != _OTHERWISE]
    if len(named) != len(rows) - 1 or not all(map(is_real_set, named)):
        return rows
    rest = Node("difference", (REALS, reduce(lambda a, b: Node("union", (a, b)), named)))
    return tuple(
        Node("case", (row.parts[0], rest if row.parts[1] == _OTHERWISE else row.parts[1]))
        for row in rows
    )


def _same_condition(gold: Node, answer: Node, same: Same) -> bool:
    if "words" in (gold.head, answer.head):
        return gold == answer
    return same(gold, answer)
