"""The kind of a tree."""

from __future__ import annotations

from verirank.verifier.comparing._exact import exact_value
from verirank.verifier.comparing._measures import measure
from verirank.verifier.comparing._numeric import approximate
from verirank.verifier.comparing._realsets import is_real_set
from verirank.verifier.comparing._relations import is_equation
from verirank.verifier.comparing._unknowns import without_unknowns
from verirank.verifier.reading import Node, UnreadError, is_expression, symbols

NUMERIC_KINDS = ("integer", "rational", "mixed", "complex", "irrational", "base")
KINDS = (
    *NUMERIC_KINDS, "percent", "quantity", "expression", "interval", "set", "tuple", "list",
    "matrix", "cases", "equation", "relation", "congruence", "ratio", "text", "choice",
    "date", "time", "other",
)  # fmt: skip
"""All kinds; `other` is what no rule here reads."""


def kind_of_tree(node: Node) -> str:
    """Return which of `KINDS` a tree is."""
    node = without_unknowns(node, node)[0]
    if any(part.head == "matrix" for part in node.walk()):
        return "matrix"
    if node.head == "cases":
        return "cases"
    if is_equation(node):
        return "equation"
    if (node.head == "bracket" and node.leaf == r"\{\}") or node.head in ("numbers", "builder"):
        return "set"
    if is_real_set(node):
        return "relation" if node.head == "relation" else "interval"
    if node.head == "bracket":
        return "tuple"
    if node.head in ("list", "+-", "-+"):
        return "list"
    if node.head in ("ratio", "relation", "congruence"):
        return node.head
    return _kind_of_value(node)


def is_number(node: Node) -> bool:
    """Tell whether a tree is one number, perhaps with a sign or unit that is known."""
    value, _, unit = measure(node)
    is_counted = any(name.startswith("number of") for name, _ in unit.dimensions)
    return is_expression(value) and not symbols(value) and not is_counted


def _kind_of_value(node: Node) -> str:
    value, sign, _ = measure(node)
    if sign == "percent":
        return "percent"
    if value != node:
        return "quantity"
    if not is_expression(node):
        return "other"
    if symbols(node):
        return "expression"
    return _kind_of_number(node)


def _kind_of_number(node: Node) -> str:
    try:
        exact = exact_value(node)
    except UnreadError:
        return _kind_of_irrational(node)
    except ZeroDivisionError:
        return "other"
    if exact.imaginary:
        return "complex"
    if exact.real.denominator == 1:
        return "integer"
    is_mixed = node.head == "+" and node.parts[0].head == "number" and node.parts[1].head == "/"
    return "mixed" if is_mixed else "rational"


def _kind_of_irrational(node: Node) -> str:
    try:
        value = approximate(node, 100)
    except (UnreadError, ZeroDivisionError):
        return "other"
    return "complex" if abs(value.imag) > abs(value) * 2**-80 else "irrational"
