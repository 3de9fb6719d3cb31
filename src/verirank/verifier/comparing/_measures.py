"""Values with a percent sign, a degree sign or a unit."""

from __future__ import annotations

from fractions import Fraction

from verirank.verifier.comparing._symbolic import equal_expressions
from verirank.verifier.reading import (
    NONE,
    Node,
    Unit,
    UnreadError,
    constant,
    in_common,
    is_expression,
    number,
    unit_named,
)

_DEGREE = constant("degree")
_RADIAN = unit_named("radian")


def measure(node: Node) -> tuple[Node, str, Unit]:
    """Return a value without its sign, the sign (`percent`, `degree` or none), and its unit."""
    if node.head == "-":
        value, sign, unit = measure(node.parts[0])
        return Node("-", (value,)), sign, unit
    if node.head == "percent":
        return node.parts[0], "percent", NONE
    if node.head == "quantity":
        return node.parts[0], "", node.leaf
    if node.head == "*" and node.parts[1] == _DEGREE:
        return node.parts[0], "degree", NONE
    return node, "", NONE


def same_measures(gold: Node, answer: Node) -> bool:
    """Tell whether two values agree with their units.

    A unit may be added, but none that only divides, or left out; two units must convert. A gold in
    percent also accepts its bare number and its value; a gold without a sign accepts a percentage
    by its value only.

    Raises:
        UnreadError: a side has no value that can be computed.
    """
    (value, sign, unit), (other, other_sign, other_unit) = measure(gold), measure(answer)
    if not (is_expression(value) and is_expression(other)):
        raise UnreadError("no expression")
    if "percent" in (sign, other_sign):
        return not (unit != NONE or other_unit != NONE) and _same_percent(gold, answer)
    if "degree" in (sign, other_sign):
        return _same_angles(gold, answer, sign == other_sign)
    if unit == NONE and other_unit.dimensions and all(p < 0 for _, p in other_unit.dimensions):
        return False
    if NONE in (unit, other_unit):
        return equal_expressions(_scaled(value, unit, other_unit), other)
    factors = {a.factor / b.factor for a, b in in_common(unit, other_unit)}
    return any(equal_expressions(Node("*", (value, number(by))), other) for by in factors)


def _scaled(value: Node, unit: Unit, other_unit: Unit) -> Node:
    """Return a value times what a scale without dimensions, such as `dozen`, makes of it."""
    factors = [Fraction(1) if u.dimensions else u.factor for u in (unit, other_unit)]
    scale = factors[0] / factors[1]
    return value if scale == 1 else Node("*", (value, number(scale)))


def _in_radians(node: Node) -> Node:
    """Return an angle in degrees as it is, one in radians without their name."""
    return node.parts[0] if node.head == "quantity" else node


def _same_percent(gold: Node, answer: Node) -> bool:
    value, sign, _ = measure(gold)
    if equal_expressions(gold, answer):
        return True
    return sign == "percent" and answer.head != "percent" and equal_expressions(value, answer)


def _same_angles(gold: Node, answer: Node, both: bool) -> bool:
    (value, _, unit), (other, _, other_unit) = measure(gold), measure(answer)
    if _RADIAN in (unit, other_unit):
        return equal_expressions(*(_in_radians(side) for side in (gold, answer)))
    if unit != NONE or other_unit != NONE:
        return False
    if equal_expressions(gold, answer):
        return True
    has_pi = any(part == constant("pi") for side in (value, other) for part in side.walk())
    return not both and not has_pi and equal_expressions(value, other)
