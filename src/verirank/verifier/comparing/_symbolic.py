"""Whether two expressions with symbols agree, at random rational points, exactly.

Symbols in a root, a logarithm or a power of the gold whose exponent is no integer are positive; all
others are tried with both signs. Two different rational functions agree at a random point of this
size with a chance below one in a million, and several points must agree. Expressions that may
change their form from place to place, such as |x - 100| and (-1)^n, are compared at more points:
from 0.001 to 1,000,000, near the constants that occur in them, and at odd and even integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from random import Random

from verirank.verifier.comparing._numeric import equal_values
from verirank.verifier.comparing._turning_points import STEPS, turning_points
from verirank.verifier.reading import Node, RefusedError, UnreadError, number, symbols

_POINTS, _TRIES = 4, 24
_POINTS_OF_PIECES, _TRIES_OF_PIECES = 16, 48
_PIECEWISE = ("abs", "max", "min", *STEPS)
_ROUNDING, _TINY = ("floor", "ceil", "mod"), Fraction(1, 1_000)
_LOGARITHMS = ("ln", "log", "log10", "factorial", "binomial")


def equal_expressions(gold: Node, answer: Node) -> bool:
    """Tell whether two expressions have the same value whatever their symbols stand for.

    Raises:
        UnreadError: they have no value that can be computed at enough points.
    """
    names = symbols(gold) | symbols(answer)
    if not names:
        return equal_values(gold, answer)
    in_pieces = _has_pieces(gold) or _has_pieces(answer)
    if in_pieces and _differ_at_a_turning_point(gold, answer):
        return False
    agreed = zeros = refused = 0
    needed = _POINTS_OF_PIECES if in_pieces else _POINTS
    for point in _points_and_nearer_zero(names, gold, answer):
        try:
            is_zero = _zero_where_equal(gold, answer, point)
        except RefusedError:
            refused += 1
            continue
        except (ZeroDivisionError, UnreadError):
            continue
        if is_zero is None:
            return False
        agreed, zeros = agreed + (not is_zero), zeros + is_zero
        if agreed == (2 * needed if in_pieces else needed):
            return True
    if agreed >= needed or agreed + zeros > (_TRIES_OF_PIECES if in_pieces else _TRIES) // 2:
        return True
    if refused:
        raise RefusedError("too near to decide")
    raise UnreadError("undefined at too many points")


def _zero_where_equal(gold: Node, answer: Node, point: dict[str, Node]) -> bool | None:
    """Tell whether the value that both have at a point is zero; None where they differ there."""
    value = substituted(gold, point)
    if not equal_values(value, substituted(answer, point)):
        return None
    return equal_values(value, number(0))


def _points_and_nearer_zero(
    names: frozenset[str], gold: Node, answer: Node
) -> Iterator[dict[str, Node]]:
    """Yield the points, then such near zero, where exp(-1000 x^2) is large enough to be seen."""
    yield from points(names, gold, answer)
    if not (_has_steep_powers(gold) or _has_steep_powers(answer)):
        return
    for point in points(names, gold, answer):
        yield {name: number(abs(value.leaf) / 1_000) for name, value in point.items()}


def _has_steep_powers(node: Node) -> bool:
    """Tell whether symbols stand in exponents, all of them of positive numbers."""
    powers = [p for p in node.walk() if p.head == "^" and symbols(p.parts[1])]
    return bool(powers) and all(_is_positive(power.parts[0]) for power in powers)


def _differ_at_a_turning_point(gold: Node, answer: Node) -> bool:
    """Tell whether two expressions differ near a constant that is large or small.

    Raises:
        RefusedError: near such a constant neither has a value that can be computed.
    """
    names = sorted(symbols(gold) | symbols(answer))
    positive, integers = positive_symbols(gold), _integer_symbols(gold) | _integer_symbols(answer)
    others = list(points(frozenset(names), gold, answer))
    for near, values in turning_points(gold, answer):
        is_decided = False
        tried = [(name, value, sign) for value in values for name in names for sign in (1, -1)]
        for at, (name, value, sign) in enumerate(tried):
            if sign < 0 and name in positive:
                continue
            if name in integers and value.denominator != 1:
                value = Fraction(round(value))
            try:
                point = others[at % len(others)] | {name: number(sign * value)}
                if _zero_where_equal(gold, answer, point) is None:
                    return True
            except (ZeroDivisionError, UnreadError):
                continue
            is_decided = True
        if not is_decided and tried:
            raise RefusedError("too large a constant to decide")
        if near < _TINY and not _same_steps(gold, answer):
            raise RefusedError("steps that differ by too little to decide")
    return False


def _same_steps(*sides: Node) -> bool:
    """Tell whether what two expressions round, if anything, is equal."""
    steps = [
        [part for part in side.walk() if part.head == "call" and part.leaf in _ROUNDING]
        for side in sides
    ]
    return all(
        any(step.leaf == other.leaf and _same_arguments(step, other) for other in others)
        for own, others in (steps, steps[::-1])
        for step in own
    )


def _same_arguments(a: Node, b: Node) -> bool:
    return all(equal_expressions(x, y) for x, y in zip(a.parts, b.parts, strict=True))


def proportional(gold: Node, answer: Node) -> bool:
    """Tell whether two expressions have a constant ratio that is neither zero nor infinite.

    Raises:
        UnreadError: they have no value that can be computed at enough points.
    """
    names = symbols(gold) | symbols(answer)
    agreed, first = 0, None
    for point in points(names, gold, answer):
        pair = substituted(gold, point), substituted(answer, point)
        try:
            if any(equal_values(side, number(0)) for side in pair):
                continue
            if first is not None:
                crossed = Node("*", (first[0], pair[1])), Node("*", (first[1], pair[0]))
                if not equal_values(*crossed):
                    return False
                agreed += 1
        except ZeroDivisionError:
            continue
        first = first or pair
        if agreed == _POINTS:
            return True
    if first is None:
        return False
    raise UnreadError("undefined at too many points")


def positive_symbols(node: Node) -> frozenset[str]:
    """Return the symbols in roots, logarithms and powers that are no integer."""
    positive = frozenset[str]()
    for part in node.walk():
        is_power = part.head == "^" and not _is_integer(part.parts[1])
        is_logarithm = part.head == "call" and part.leaf in _LOGARITHMS
        if part.head == "root" or is_power or is_logarithm:
            positive |= symbols(part)
    return positive


def _is_integer(node: Node) -> bool:
    if node.head == "-":
        return _is_integer(node.parts[0])
    return node.head == "number" and node.leaf.denominator == 1


def _has_pieces(node: Node) -> bool:
    """Tell whether an expression may have another form elsewhere: |x|, a root, (-1)^n."""
    return any(
        part.head == "root"
        or (part.head == "call" and part.leaf in _PIECEWISE)
        or (part.head == "^" and not (_is_integer(part.parts[1]) or _is_positive(part.parts[0])))
        for part in node.walk()
    )


def _is_positive(base: Node) -> bool:
    """Tell whether a power's base is a positive number, so that it is smooth in its exponent."""
    return base.leaf in ("e", "pi") or (base.head == "number" and base.leaf > 0)


def points(names: frozenset[str], gold: Node, answer: Node) -> Iterator[dict[str, Node]]:
    """Yield values for symbols: integers in exponents and factorials, else rational numbers."""
    positive = positive_symbols(gold)
    integers = _integer_symbols(gold) | _integer_symbols(answer)
    in_pieces = _has_pieces(gold) or _has_pieces(answer)
    scales = _scales(gold, answer) if in_pieces else [Fraction(1)]
    generator = Random(",".join(sorted(names)))
    for at in range(_TRIES_OF_PIECES if in_pieces else _TRIES):
        point = {}
        for name in sorted(names):
            value = Fraction(
                generator.randrange(300, 4_000), generator.choice((307, 401, 503, 601))
            )
            if in_pieces and at % 3:
                ratio = Fraction(generator.randrange(2, 40), generator.choice((7, 11, 13)))
                value = ratio * generator.choice(scales)
            if name in integers:
                is_large = in_pieces and at % 4 == 3
                value = Fraction(
                    generator.randrange(20, 400) if is_large else generator.randrange(2, 20)
                )
            negative = at % 2 and name not in positive and generator.random() < 0.7
            point[name] = number(-value if negative else value)
        yield point


def _scales(gold: Node, answer: Node) -> list[Fraction]:
    """Return powers of ten, and the numbers of two expressions, near which they may change."""
    numbers = {abs(part.leaf) for side in (gold, answer) for part in side.walk() if _is_leaf(part)}
    near = sorted(number for number in numbers if 1 < number < 10**9)[-6:]
    return [Fraction(10) ** power for power in range(-3, 7)] + near * 2


def _is_leaf(node: Node) -> bool:
    return node.head == "number"


def _integer_symbols(node: Node) -> frozenset[str]:
    integers = frozenset[str]()
    for part in node.walk():
        if part.head == "call" and part.leaf in ("factorial", "binomial", "mod", "gcd", "lcm"):
            integers |= symbols(part)
        elif part.head == "^":
            integers |= symbols(part.parts[1])
    return integers


def substituted(node: Node, point: dict[str, Node]) -> Node:
    """Return a tree with values in place of its symbols."""
    if node.head == "symbol":
        return point[node.leaf]
    parts = tuple(substituted(part, point) for part in node.parts)
    return Node(node.head, parts, node.leaf)
