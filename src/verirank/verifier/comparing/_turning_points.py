r"""Where expressions in pieces may differ: near the constants of a pair, below, at and above them.

min(n, 10^9) is n up to there, \binom{n}{20} is 0 below 20, gcd(n, 37) is 1 but at multiples, and
\lfloor x + 10^{-9}\rfloor differs from \lfloor x\rfloor just below the integers only.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm

from verirank.verifier.comparing._exact import exact_value
from verirank.verifier.comparing._numeric import approximate
from verirank.verifier.reading import Node, UnreadError, symbols

STEPS = ("floor", "ceil", "mod", "gcd", "lcm", "binomial")
"""Functions that jump, or that depend on divisors."""

_USUAL = (Fraction(1, 500), Fraction(500_000))
"""Between these the points that are tried anyway are dense enough for what has no steps."""
_USUAL_OF_STEPS = (Fraction(1, 20), Fraction(20))
_LARGEST = 2**4_000
_PRECISION = 4_000
_MAX_CONSTANTS, _MAX_PERIOD, _MAX_RESIDUES = 8, 10**6, 400


def turning_points(gold: Node, answer: Node) -> Iterator[tuple[Fraction, list[Fraction]]]:
    """Yield the constants of a pair that are large or small, each with values to try near it."""
    has_steps = any(
        part.head == "call" and part.leaf in STEPS
        for side in (gold, answer)
        for part in side.walk()
    )
    low, high = _USUAL_OF_STEPS if has_steps else _USUAL
    constants = _constants(gold) | _constants(answer) | {Fraction(1)}
    unusual = [c for c in constants | _near_misses(constants) if not low <= c <= high]
    period = _period(constants) if has_steps else 1
    for c in sorted(unusual, key=lambda c: (abs(c.numerator - c.denominator), c))[-_MAX_CONSTANTS:]:
        values = [c / 3, c * Fraction(9, 10), c - 1, c, c + 1, c * Fraction(11, 10), 3 * c]
        if has_steps and c < low:
            shifts = [c / part for part in (-2, -16, -300, 2, 16, 300)]
            values += [times * period + shift for times in (1, 2) for shift in shifts]
        if has_steps and c.denominator == 1:
            values += [2 * c, 5 * c, Fraction((c.numerator - 1) // 2), Fraction(c.numerator // 2)]
            values += map(Fraction, range(1, min(c.numerator, _MAX_RESIDUES)))
        yield c, [value for value in values if value > 0]


def _constants(node: Node) -> set[Fraction]:
    """Return the absolute values of the largest parts without symbols, rounded where irrational."""
    if symbols(node):
        return set[Fraction]().union(*map(_constants, node.parts))
    try:
        value = exact_value(node).real
    except UnreadError:
        try:
            value = _rounded(node)
        except (UnreadError, ZeroDivisionError):
            return set()
    except ZeroDivisionError:
        return set()
    is_small = max(abs(value.numerator), value.denominator) < _LARGEST
    return {abs(value)} if value and is_small else set()


def _rounded(node: Node) -> Fraction:
    value = approximate(node, _PRECISION).real
    if not value or abs(value) > 2**_PRECISION:
        return Fraction(0)
    return Fraction(int(value * 2**_PRECISION), 2**_PRECISION)


def _near_misses(constants: set[Fraction]) -> set[Fraction]:
    """Return by how much constants that are nearly the same differ, and its reciprocals."""
    differences = {abs(a - b) for a in constants for b in constants if 0 < abs(a - b) < a / 500}
    return differences | {1 / difference for difference in differences}


def _period(constants: set[Fraction]) -> int:
    period = 1
    for constant in constants:
        for number in constant.as_integer_ratio():
            if lcm(period, number) <= _MAX_PERIOD:
                period = lcm(period, number)
    return period
