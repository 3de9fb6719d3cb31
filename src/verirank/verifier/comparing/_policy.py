"""What a task may accept beyond the rules: nothing by default."""

from __future__ import annotations

from dataclasses import dataclass

from verirank.verifier.comparing._measures import measure
from verirank.verifier.comparing._numeric import approximate
from verirank.verifier.comparing._symbolic import equal_expressions
from verirank.verifier.reading import Node, UnreadError, is_expression, symbols

_LEAST_DECIMALS = 3
_PRECISION = 300


@dataclass(frozen=True, slots=True)
class Policy:
    """What a task accepts though its value differs from the gold's.

    `rounded_decimals`: a decimal of three or more decimal places that is an exact gold, such as a
    fraction or a root, rounded to its last place. `bare_percent`: a gold's own number with a
    percent sign.
    """

    rounded_decimals: bool = False
    bare_percent: bool = False


STRICT = Policy()


def accepts(policy: Policy, gold: Node, answer: Node, decimals: int = 0) -> bool:
    """Tell whether a policy accepts an answer that the rules refuse.

    Args:
        policy: what the task accepts beyond the rules.
        gold: the right answer.
        answer: the answer stated.
        decimals: the decimal places that the answer writes: 0.3330 has four.
    """
    try:
        return (policy.rounded_decimals and _is_rounded(gold, answer, decimals)) or (
            policy.bare_percent and _is_bare_percent(gold, answer)
        )
    except (UnreadError, ZeroDivisionError):
        return False


def _is_rounded(gold: Node, answer: Node, written: int) -> bool:
    is_closed = all(is_expression(side) and not symbols(side) for side in (gold, answer))
    decimals = max(written, *map(_decimals, answer.walk()))
    if not is_closed or decimals < _LEAST_DECIMALS or any(map(_decimals, gold.walk())):
        return False
    distance = abs(approximate(gold, _PRECISION) - approximate(answer, _PRECISION))
    return bool(2 * 10**decimals * distance <= 1)


def _decimals(node: Node) -> int:
    """Return the decimal places of a number that is a decimal, else 0."""
    if node.head != "number":
        return 0
    places, denominator = 0, node.leaf.denominator
    while denominator > 1 and places < 60 and 10**places % denominator:
        places += 1
    return places if denominator > 1 and 10**places % denominator == 0 else 0


def _is_bare_percent(gold: Node, answer: Node) -> bool:
    value, sign, _ = measure(answer)
    return sign == "percent" and is_expression(gold) and equal_expressions(gold, value)
