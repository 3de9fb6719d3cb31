r"""Sums, products, derivatives and unknown functions: written out, or as symbols of their own.

A sum or product between small integers is written out. Another, a derivative and the value of an
unknown function become symbols, the same one where they are the same in form: bounds, terms and
arguments that are equal expressions.
"""

from __future__ import annotations

import re
from functools import reduce

from verirank.verifier.comparing._called import with_roles
from verirank.verifier.comparing._exact import exact_value
from verirank.verifier.comparing._symbolic import equal_expressions, substituted
from verirank.verifier.reading import Node, UnreadError, is_expression, number, symbol, symbols

_BOUND = "bound variable"
_MAX_TERMS = 300
_OPEN = ("sum", "product", "derivative")
_OPERATORS = {"sum": "+", "product": "*"}


def without_unknowns(gold: Node, answer: Node) -> tuple[Node, Node, bool]:
    """Return two trees of expressions, and whether unequal ones may have the same value after all.

    They may where a sum, product or derivative stands in one of them only.

    The names of equations stay: `f(x)` in f(x) = x^2.
    """
    gold, answer = with_roles(gold, answer)
    known: list[Node] = []
    sides = [_replaced(_written_out(side), known) for side in (gold, answer)]
    names = {_name(at) for at, node in enumerate(known) if node.head in _OPEN}
    return sides[0], sides[1], bool(names & (symbols(sides[0]) ^ symbols(sides[1])))


def _written_out(node: Node) -> Node:
    if not node.parts:
        return node
    node = Node(node.head, tuple(map(_written_out, node.parts)), node.leaf)
    if node.head not in _OPERATORS:
        return node
    terms = _terms(node)
    if terms is None:
        return node
    empty = number(0 if node.head == "sum" else 1)
    return reduce(lambda a, b: Node(_OPERATORS[node.head], (a, b)), terms or [empty])


def _terms(node: Node) -> list[Node] | None:
    variable, low, high, body = node.parts
    try:
        first, last = exact_value(low).real, exact_value(high).real
    except (UnreadError, ZeroDivisionError):
        return None
    is_small = first.denominator == last.denominator == 1 and last - first < _MAX_TERMS
    has_indices = any("_" in name for name in symbols(body))
    if not is_small or has_indices or not is_expression(body):
        return None
    return [_with(body, variable.leaf, number(at)) for at in range(int(first), int(last) + 1)]


def _with(body: Node, name: str, value: Node) -> Node:
    kept = {part: symbol(part) for part in symbols(body)}
    return substituted(body, kept | {name: value})


def _replaced(node: Node, known: list[Node], *, is_name: bool = False) -> Node:
    if node.head in _OPEN or (node.head == "applied" and not is_name):
        parts = tuple(_replaced(part, known) for part in node.parts)
        return _symbol_of(_with_bound_variable(Node(node.head, parts, node.leaf)), known)
    parts = tuple(
        _replaced(part, known, is_name=node.head == "relation" and not at)
        for at, part in enumerate(node.parts)
    )
    return Node(node.head, parts, node.leaf)


def _symbol_of(node: Node, known: list[Node]) -> Node:
    at = next((at for at, other in enumerate(known) if _same_form(node, other)), len(known))
    if at == len(known):
        known.append(node)
    return symbol(_name(at))


def _name(at: int) -> str:
    return f"unknown {at}"


def _same_form(a: Node, b: Node) -> bool:
    if (a.head, a.leaf, len(a.parts)) != (b.head, b.leaf, len(b.parts)):
        return False
    return all(_equal(x, y) for x, y in zip(a.parts, b.parts, strict=True))


def _equal(a: Node, b: Node) -> bool:
    if a == b:
        return True
    try:
        return is_expression(a) and is_expression(b) and equal_expressions(a, b)
    except (UnreadError, ZeroDivisionError):
        return False


def _with_bound_variable(node: Node) -> Node:
    """Return a sum or product whose variable, in indices too, has a name that no other has."""
    if node.head not in _OPERATORS:
        return node
    variable, low, high, body = node.parts
    index = re.compile(rf"(?<![A-Za-z]){re.escape(variable.leaf)}(?![A-Za-z])")
    names = {}
    for name in symbols(body):
        base, sign, subscript = name.partition("_")
        names[name] = symbol(base + sign + index.sub(_BOUND, subscript))
    names[variable.leaf] = symbol(_BOUND)
    return Node(node.head, (symbol(_BOUND), low, high, substituted(body, names)))
