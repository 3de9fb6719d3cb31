"""Whether two expressions with symbols agree, at random rational points, exactly.

Symbols in a root, a logarithm or a power of the gold whose exponent is no integer are positive; all
others are tried with both signs. Two different rational functions agree at a random point of this
size with a chance below one in a million, and several points must agree. Expressions that may
change their form from place to place, such as |x - 100| and (-1)^n, are compared at more points:
from 0.001 to 1,000,000, near the numbers that occur in them, and at odd and even integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from random import Random

from verirank.verifier.comparing._numeric import equal_values
from verirank.verifier.reading import Node, UnreadError, number, symbols

_POINTS, _TRIES = 4, 24
_POINTS_OF_PIECES, _TRIES_OF_PIECES = 16, 48
_PIECEWISE = ("abs", "max", "min", "floor", "ceil", "mod", "gcd", "lcm")
_LOGARITHMS = ("ln", "log", "log10", "factorial", "binomial")


def equal_expressions(gold: Node, answer: Node) -> bool:
    """Tell whether two expressions have the same value whatever their symbols stand for.

    Raises:
        UnreadError: they have no value that can be computed at enough points.
    """
    names = symbols(gold) | symbols(answer)
    if not names:
        return equal_values(gold, answer)
    agreed = zeros = 0
    in_pieces = _has_pieces(gold) or _has_pieces(answer)
    needed = _POINTS_OF_PIECES if in_pieces else _POINTS
    for point in points(names, gold, answer):
        value = substituted(gold, point)
        try:
            if not equal_values(value, substituted(answer, point)):
                return False
            is_zero = equal_values(value, number(0))
        except (ZeroDivisionError, UnreadError):
            continue
        agreed, zeros = agreed + (not is_zero), zeros + is_zero
        if agreed == (2 * needed if in_pieces else needed):
            return True
    if agreed >= needed or agreed + zeros > (_TRIES_OF_PIECES if in_pieces else _TRIES) // 2:
        return True
    raise UnreadError("undefined at too many points")


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
