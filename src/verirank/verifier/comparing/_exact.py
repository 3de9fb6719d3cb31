"""Exact values over the rationals and i of the expressions that have one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, comb, factorial, floor, gcd, isqrt, lcm
from typing import Any

from verirank.verifier.reading import Node, UnreadError

_MAX_BITS = 160_000
_MAX_FACTORIAL = 5_000
_MAX_OF_MANY = 1_000
"""Members that are chosen of more than so many as have a factorial here."""


@dataclass(frozen=True, slots=True)
class Value:
    """A complex number with rational parts."""

    real: Fraction
    imaginary: Fraction = Fraction(0)

    def __add__(self, other: Value) -> Value:
        return _bounded(Value(self.real + other.real, self.imaginary + other.imaginary))

    def __neg__(self) -> Value:
        return Value(-self.real, -self.imaginary)

    def __mul__(self, other: Value) -> Value:
        a, b, c, d = self.real, self.imaginary, other.real, other.imaginary
        if not (b or d):
            return _bounded(Value(a * c))
        return _bounded(Value(a * c - b * d, a * d + b * c))

    def inverse(self) -> Value:
        """Return 1 / self; ZeroDivisionError for 0."""
        norm = self.real**2 + self.imaginary**2
        return Value(self.real / norm, -self.imaginary / norm)


_I = Value(Fraction(0), Fraction(1))


def exact_value(node: Node) -> Value:
    """Return the exact value of a closed expression.

    Raises:
        UnreadError: the expression has symbols, is irrational, or is too large to compute.
        ZeroDivisionError: it divides by zero.
    """
    head, parts = node.head, node.parts
    if head == "number":
        return Value(node.leaf)
    if head == "constant" and node.leaf == "i":
        return _I
    if head == "+":
        return exact_value(parts[0]) + exact_value(parts[1])
    if head == "-":
        return -exact_value(parts[0])
    if head == "*":
        return exact_value(parts[0]) * exact_value(parts[1])
    if head == "/":
        return exact_value(parts[0]) * exact_value(parts[1]).inverse()
    if head == "percent":
        return exact_value(parts[0]) * Value(Fraction(1, 100))
    if head == "^":
        return _power(exact_value(parts[0]), exact_value(parts[1]))
    if head == "root":
        return _root(exact_value(parts[0]), exact_value(parts[1]))
    if head == "call" and node.leaf in _CALLS:
        return Value(Fraction(_CALLS[node.leaf](*(_real(part) for part in parts))))
    raise UnreadError(head)


def _real(node: Node) -> Fraction:
    value = exact_value(node)
    if value.imaginary:
        raise UnreadError("complex")
    return value.real


def _integer(value: Fraction) -> int:
    if value.denominator != 1:
        raise UnreadError("no integer")
    return value.numerator


def _natural(value: Fraction) -> int:
    natural = _integer(value)
    if not 0 <= natural <= _MAX_FACTORIAL:
        raise UnreadError("no small natural number")
    return natural


def _binomial(n: Fraction, k: int) -> int:
    of = n.numerator if k <= _MAX_OF_MANY and n >= 0 else _natural(n)
    if n.denominator != 1 or of.bit_length() * min(k, of) > _MAX_BITS:
        raise UnreadError("binomial")
    return comb(of, k)


def _modulo(a: Fraction, modulus: Fraction) -> Fraction:
    if modulus <= 0:
        raise UnreadError("modulus")
    return a % modulus


_CALLS: dict[str, Callable[..., Any]] = {
    "factorial": lambda n: factorial(_natural(n)),
    "binomial": lambda n, k: _binomial(n, _natural(k)),
    "floor": floor, "ceil": ceil, "abs": abs, "max": max, "min": min, "mod": _modulo,
    "gcd": lambda *numbers: gcd(*map(_integer, numbers)),
    "lcm": lambda *numbers: lcm(*map(_integer, numbers)),
}  # fmt: skip


def _power(value: Value, exponent: Value) -> Value:
    if exponent.imaginary or exponent.real.denominator > 64:
        raise UnreadError("exponent")
    if exponent.real.denominator > 1:
        root = _root(value, Value(Fraction(exponent.real.denominator)))
        return _power(root, Value(Fraction(exponent.real.numerator)))
    power = int(exponent.real)
    if _bits(value) * abs(power) > _MAX_BITS:
        raise UnreadError("too large")
    if not value.imaginary:
        return Value(value.real**power)
    result = Value(Fraction(1))
    for bit in f"{abs(power):b}":
        result = result * result
        if bit == "1":
            result = result * value
    return result if power >= 0 else result.inverse()


def _root(value: Value, degree: Value) -> Value:
    """Return a root that is rational, or rational times i."""
    index = _natural(degree.real)
    if value.imaginary or degree.imaginary or index < 2:
        raise UnreadError("root")
    if value.real < 0:
        if index != 2:
            raise UnreadError("root of a negative number")
        return _root(-value, degree) * _I
    top, bottom = (_integer_root(part, index) for part in value.real.as_integer_ratio())
    return Value(Fraction(top, bottom))


def _integer_root(value: int, index: int) -> int:
    root = isqrt(value) if index == 2 else _nearest_root(value, index)
    if root**index != value:
        raise UnreadError("irrational")
    return root


def _nearest_root(value: int, index: int) -> int:
    low, high = 0, 1 << (value.bit_length() // index + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**index <= value else (low, middle - 1)
    return low


def _bits(value: Value) -> int:
    parts = (value.real, value.imaginary)
    return sum(p.numerator.bit_length() + p.denominator.bit_length() for p in parts if p)


def _bounded(value: Value) -> Value:
    if _bits(value) > _MAX_BITS:
        raise UnreadError("too large")
    return value
