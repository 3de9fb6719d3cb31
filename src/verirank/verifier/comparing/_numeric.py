"""Whether two closed expressions have the same value: exactly, or at a precision that decides.

A difference of algebraic numbers that is not zero is larger than its separation bound (Burnikel,
Fleischer, Mehlhorn and Schirra, A strong and easily computable separation bound for arithmetic
expressions involving radicals, Algorithmica 27, 2000), so its digits up to there decide. Values
with pi, e or logarithms are taken for equal where they agree to the same bound with these constants
counted in (the uniformity conjecture of Richardson), at least to 150 digits, and to three times
the digits that the smallest and the largest of their terms need: 1 + exp(-500) is not 1.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, log2
from typing import Any

from mpmath.ctx_mp import MPContext

from verirank.verifier.comparing._exact import exact_value
from verirank.verifier.reading import Node, RefusedError, UnreadError, difference

_FIRST_PRECISION, _MAX_PRECISION = 96, 12_288
_PRECISION_TO_DIFFER = 3_072
_TRANSCENDENTAL_BITS = 512
_GUARD = 64
_MAX_MAGNITUDE = 64
_MAX_MAGNITUDE_NEAR_ONE = 4_000
"""Bits of the exponent of a number that is nearly one."""
_local = threading.local()


def equal_values(a: Node, b: Node) -> bool:
    """Tell whether two closed expressions have the same value.

    Raises:
        UnreadError: one has symbols, or no value that can be computed within bounds.
        ZeroDivisionError: one divides by zero.
    """
    try:
        return exact_value(a) == exact_value(b)
    except UnreadError:
        return _is_zero(difference(a, b))


def approximate(node: Node, precision: int) -> Any:
    """Return a closed expression's value as an mpmath number at a precision in bits."""
    return _evaluated(node, precision)[0]


def _evaluated(node: Node, precision: int) -> tuple[Any, int]:
    """Return a value, and the bits that the smallest and the largest of its terms need."""
    context = _context()
    context.prec = precision
    evaluation = _Evaluation(context)
    try:
        return evaluation.value(node), evaluation.spread
    except (ValueError, OverflowError, TypeError) as error:
        raise UnreadError(str(error)) from None


def _is_zero(node: Node) -> bool:
    size = _size(node)
    precision, before = _FIRST_PRECISION, None
    while True:
        now, spread = _evaluated(node, precision)
        separation = size.separation + (3 * spread if size.transcendental else 0)
        decisive = separation + ceil(size.numerator) + _GUARD
        if not _is_finite(now):
            raise UnreadError("infinite")
        if before is not None and abs(now - before) < abs(now) / 4:
            return False
        if precision > decisive:
            return bool(abs(now) < _context().mpf(2) ** -separation)
        # Where no precision shows that two values are equal, a moderate one shows that they differ.
        limit = _MAX_PRECISION if decisive <= _MAX_PRECISION else _PRECISION_TO_DIFFER
        if precision >= limit:
            raise RefusedError("too near to decide")
        # What vanishes up to rounding is decided at once by as many digits as that takes.
        vanishes = abs(now) < _context().mpf(2) ** (spread + _GUARD - precision)
        enough = decisive + _GUARD if vanishes and decisive <= limit else 0
        precision, before = max(2 * precision, enough), now
        precision = min(precision, limit)


def _is_finite(value: Any) -> bool:
    context = _context()
    return bool(context.isfinite(value))


def _context() -> MPContext:
    if not hasattr(_local, "context"):
        _local.context = MPContext()
    return _local.context


class _Evaluation:
    """Values of expressions in one mpmath context."""

    def __init__(self, context: MPContext) -> None:
        self._context: Any = context
        self.spread = 0

    def value(self, node: Node) -> Any:
        """Return a value; `spread` grows to the bits that its terms need."""
        value = self._value(node)
        self.spread = max(self.spread, self._bits(node, value))
        return value

    def _bits(self, node: Node, value: Any) -> int:
        if node.head == "number":
            return max(map(int.bit_length, node.leaf.as_integer_ratio()))
        if not value or not self._context.isfinite(value):
            return 0
        bits = abs(int(self._context.mag(value)))
        is_term = node.head == "^" or (node.head == "call" and node.leaf in _STEEP)
        # What is zero at this precision, as sin(pi) is, has no size of its own.
        return bits if is_term or bits < self._context.prec - _GUARD else 0

    def _value(self, node: Node) -> Any:
        head, context = node.head, self._context
        if head == "number":
            return context.mpf(node.leaf.numerator) / node.leaf.denominator
        if head == "constant":
            return self._constant(node.leaf)
        operands = [self.value(part) for part in node.parts]
        if head == "+":
            return operands[0] + operands[1]
        if head == "-":
            return -operands[0]
        if head == "*":
            return operands[0] * operands[1]
        if head == "/":
            return operands[0] / operands[1]
        if head == "percent":
            return operands[0] / 100
        if head == "^":
            return self._power(node, *operands)
        if head == "root":
            return self._root(*operands)
        if head == "call":
            return self._call(node.leaf, operands)
        raise UnreadError(head)

    def _constant(self, name: str) -> Any:
        context = self._context
        if name == "degree":
            return context.pi / 180
        if name not in ("pi", "e", "i"):
            raise UnreadError(name)
        return {"pi": +context.pi, "e": +context.e, "i": context.mpc(0, 1)}[name]

    def _power(self, node: Node, base: Any, exponent: Any) -> Any:
        if not base:
            if exponent.real <= 0:
                raise ZeroDivisionError
            return base
        if self._magnitude(exponent) > _MAX_MAGNITUDE:
            return self._power_of_nearly_one(node, base, exponent)
        return self._context.power(base, exponent)

    def _power_of_nearly_one(self, node: Node, base: Any, exponent: Any) -> Any:
        """Return a power such as (1 + 10^-200)^(10^200), its base in as many more digits."""
        context, bits = self._context, int(self._magnitude(exponent))
        if abs(base - 1) > 0.5:
            raise UnreadError("power too large")
        if bits > _MAX_MAGNITUDE_NEAR_ONE:
            raise RefusedError("exponent too large")
        context.prec += bits
        logarithm = exponent * context.ln(self.value(node.parts[0]))
        context.prec -= bits
        if self._magnitude(logarithm) > _MAX_MAGNITUDE:
            raise RefusedError("power too large")
        return context.exp(logarithm)

    def _magnitude(self, value: Any) -> float:
        return float(self._context.mag(value)) if value else 0.0

    def _root(self, radicand: Any, degree: Any) -> Any:
        context = self._context
        index = int(degree.real)
        if degree != index or not 1 <= index <= 1_000:
            raise UnreadError("root")
        if index % 2 and index > 1 and not context.im(radicand) and context.re(radicand) < 0:
            return -context.root(-context.re(radicand), index)
        return context.root(radicand, index)

    def _call(self, name: str, operands: list[Any]) -> Any:
        context = self._context
        largest = _MAX_MAGNITUDE if name == "factorial" else 13
        if any(self._magnitude(operand) > largest for operand in operands) and name not in _TAME:
            raise UnreadError("argument too large")
        if name in ("ln", "log", "log10"):
            base = (
                operands[1] if len(operands) > 1 else context.mpf(10) if name == "log10" else None
            )
            if not operands[0]:
                raise ZeroDivisionError
            return context.ln(operands[0]) / (context.ln(base) if base is not None else 1)
        if name in _STEEP and operands[0]:
            self.spread = max(self.spread, int(2 * abs(operands[0])))
        if name in ("floor", "ceil"):
            return self._rounded(name, operands[0])
        if name in ("max", "min"):
            return (max if name == "max" else min)(operands)
        if name == "abs":
            return abs(operands[0])
        if name == "factorial":
            return context.gamma(operands[0] + 1)
        if name == "binomial":
            return context.binomial(*operands)
        if name not in _FUNCTIONS:
            raise UnreadError(name)
        return getattr(context, _FUNCTIONS[name])(*operands)

    def _rounded(self, name: str, value: Any) -> Any:
        context = self._context
        nearest = context.nint(value)
        if abs(value - nearest) < context.mpf(2) ** (-context.prec // 2):
            return nearest
        return context.floor(value) if name == "floor" else context.ceil(value)


_STEEP = frozenset(("exp", "sinh", "cosh", "tanh", "factorial", "binomial"))
_TAME = frozenset(("ln", "log", "log10", "abs", "max", "min", "arctan"))
_FUNCTIONS = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"} | {
    name: name for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "exp")
}
_FUNCTIONS["cis"] = "expj"


_MANY = 10**100
"""Stands for any larger exponent in a bound, which then is beyond every precision."""


@dataclass(frozen=True, slots=True)
class _Size:
    """Bounds, in bits, on the conjugates of a value's numerator and denominator; see the module.

    `radicals` are the nodes that extend the field, each with its degree.
    """

    numerator: float
    denominator: float
    radicals: frozenset[tuple[Node, int]] = frozenset()
    transcendental: bool = False

    @property
    def separation(self) -> int:
        """A value that is not zero is larger than 2 to the minus this."""
        degree = 1
        for _, extension in self.radicals:
            degree *= extension
        bits = int((degree - 1) * self.numerator + self.denominator) + _GUARD
        return max(bits, _TRANSCENDENTAL_BITS) if self.transcendental else bits


def _size(node: Node) -> _Size:
    head, parts = node.head, node.parts
    if head == "number":
        top, bottom = node.leaf.as_integer_ratio()
        return _Size(log2(max(abs(top), 1)), log2(bottom))
    if head == "constant":
        return (
            _Size(0, 0, frozenset({(node, 2)}))
            if node.leaf == "i"
            else _Size(9, 9, transcendental=True)
        )
    sizes = [_size(part) for part in parts]
    radicals = frozenset[tuple[Node, int]]().union(*(size.radicals for size in sizes))
    transcendental = any(size.transcendental for size in sizes)

    def of(numerator: float, denominator: float) -> _Size:
        return _Size(numerator, denominator, radicals, transcendental)

    if not sizes:
        raise UnreadError(f"no value: {head}")
    a = sizes[0]
    if head in ("-", "percent"):
        return of(a.numerator, a.denominator + (7 if head == "percent" else 0))
    if head == "+":
        b = sizes[1]
        top = max(a.numerator + b.denominator, b.numerator + a.denominator) + 1
        return of(top, a.denominator + b.denominator)
    if head == "*":
        return of(a.numerator + sizes[1].numerator, a.denominator + sizes[1].denominator)
    if head == "/":
        return of(a.numerator + sizes[1].denominator, a.denominator + sizes[1].numerator)
    if head == "^":
        return _size_of_power(node, a, radicals, transcendental)
    if head == "root":
        return _size_of_root(node, a, _index(parts[1]), radicals, transcendental)
    if head == "call" and node.leaf in ("sin", "cos", "tan", "cot", "sec", "csc", "cis"):
        return _size_of_angle(node, radicals)
    total = sum(size.numerator + size.denominator for size in sizes) + 64
    return _Size(total, total, radicals, True)


def _size_of_power(node: Node, base: _Size, radicals: Any, transcendental: bool) -> _Size:
    try:
        exponent = exact_value(node.parts[1])
    except UnreadError:
        return _Size(base.numerator + 128, base.denominator + 128, radicals, True)
    if exponent.imaginary:
        raise UnreadError("exponent")
    if abs(exponent.real) > 2**_MAX_MAGNITUDE_NEAR_ONE:
        raise RefusedError("exponent")
    power, index = exponent.real.as_integer_ratio()
    times = min(abs(power), _MANY)
    top, bottom = base.numerator * times, base.denominator * times
    size = _Size(*((top, bottom) if power >= 0 else (bottom, top)), radicals, transcendental)
    return size if index == 1 else _size_of_root(node, size, index, radicals, transcendental)


def _size_of_root(node: Node, of: _Size, index: int, radicals: Any, transcendental: bool) -> _Size:
    top = (of.numerator + (index - 1) * of.denominator) / index
    if transcendental:
        return _Size(top, of.denominator, radicals, True)
    return _Size(top, of.denominator, radicals | {(_radical(node), index)}, transcendental)


def _radical(node: Node) -> Node:
    """Return the positive rational whose root generates a root's field, else the root itself."""
    base = node.parts[0]
    if node.head == "root" and base.head == "^":
        base = base.parts[0]
    try:
        value = exact_value(base)
    except UnreadError:
        return node
    is_positive = value.real > 0 and not value.imaginary
    return Node("number", leaf=value.real) if is_positive else node


def _size_of_angle(node: Node, radicals: Any) -> _Size:
    """Bound a trigonometric function: of a rational part of pi it is a sum of roots of unity."""
    part = _part_of_pi(node.parts[0])
    if part is None:
        return _Size(64, 64, radicals, True)
    unity = Node("unity", leaf=part.denominator)
    return _Size(2, 2, frozenset({(unity, 2 * part.denominator), (Node("constant", leaf="i"), 2)}))


def _part_of_pi(node: Node) -> Fraction | None:
    """Return a where an angle is a rational multiple a of pi."""
    try:
        once, twice, thrice = (exact_value(_with_pi(node, Fraction(pi))) for pi in (1, 2, 3))
    except (UnreadError, ZeroDivisionError):
        return None
    is_linear = twice.real == 2 * once.real and thrice.real == 3 * once.real
    is_small = not once.imaginary and once.real.denominator <= 360
    return once.real if is_linear and is_small else None


def _with_pi(node: Node, pi: Fraction) -> Node:
    if node.head == "constant" and node.leaf in ("pi", "degree"):
        return Node("number", leaf=pi if node.leaf == "pi" else pi / 180)
    return Node(node.head, tuple(_with_pi(part, pi) for part in node.parts), node.leaf)


def _index(node: Node) -> int:
    value = exact_value(node).real
    if value.denominator != 1 or not 1 <= value <= 1_000:
        raise UnreadError("root")
    return int(value)
