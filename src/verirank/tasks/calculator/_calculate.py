"""Exact arithmetic on an expression that a model wrote; nothing of it is ever executed."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

MOST_CHARACTERS = 64
"""Of an expression."""
MOST_WRITTEN = 32
"""Characters of a value: a sign and a fraction of two numbers below the bound."""
_BOUND = 10**15
"""No number on the way may be so large, nor have so large a denominator."""
_MOST_DECIMALS = 6

_CALL = re.compile(r"([-+*/().\d ]*[\d)]) *= *\Z", re.ASCII)
_CHARACTERS = re.compile(r"[-+*/().\d ]+", re.ASCII)
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class _NoValueError(ValueError):
    """An expression is no arithmetic, or leaves the bounds."""


def call_in(text: str) -> str | None:
    """Return the value of the expression with which a text ends before its `=`, as it is written.

    The expression is the longest one that begins behind a space or another sign, and it has an
    operator: `so 12 + 7 =` asks for 19, `2+3=5+4=` for 9, `x = 5 =` for nothing.
    """
    found = _CALL.search(text)
    if found is None:
        return None
    written = found[1]
    starts = [0, *(space.end() for space in re.finditer(" +", written))]
    for start in starts:
        value = calculate(written[start:])
        if value is not None:
            return value
    return None


def calculate(expression: str) -> str | None:
    """Return the value of an expression, or None where it has none within the bounds.

    Args:
        expression: whole numbers and decimals with `+ - * / ( )`, at most 64 characters, and at
            least one operator.

    Returns:
        A whole number, a decimal of at most six places where that is exact, else a fraction in
        lowest terms such as `7/3`.
    """
    if len(expression) > MOST_CHARACTERS or not _CHARACTERS.fullmatch(expression):
        return None
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        if not any(isinstance(node, ast.BinOp) for node in ast.walk(tree)):
            return None
        return _written(_value(tree, expression.strip()))
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


def _value(node: ast.expr, source: str) -> Fraction:
    match node:
        case ast.BinOp(left, operation, right) if type(operation) in _OPERATORS:
            made = _OPERATORS[type(operation)](_value(left, source), _value(right, source))
        case ast.UnaryOp(ast.USub(), operand):
            made = -_value(operand, source)
        case ast.UnaryOp(ast.UAdd(), operand):
            made = _value(operand, source)
        case ast.Constant(int() | float()):
            # From the digits themselves: a float would have rounded them.
            made = Fraction(ast.get_source_segment(source, node) or "")
        case _:
            raise _NoValueError
    if max(abs(made.numerator), made.denominator) >= _BOUND:
        raise _NoValueError
    return made


def _written(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    for places in range(1, _MOST_DECIMALS + 1):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = f"{abs(scaled.numerator):0{places + 1}}"
            return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    return f"{value.numerator}/{value.denominator}"
