"""Equations and inequalities."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from verirank.verifier.comparing._measures import measure
from verirank.verifier.comparing._numeric import approximate
from verirank.verifier.comparing._symbolic import (
    equal_expressions,
    points,
    proportional,
    substituted,
)
from verirank.verifier.reading import (
    Node,
    UnreadError,
    difference,
    is_expression,
    number,
    signs_of,
    symbol,
    symbols,
)

Same = Callable[[Node, Node], bool]
_MIRRORED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", r"\ne": r"\ne"}
_ROUNDING = r"\approx"
_SUM = ("symbol", "number", "+", "-", "*", "/")
_INVERSE = Node("-", (number(1),))


def is_equation(node: Node) -> bool:
    """Tell whether a tree is an equation, or a chain of them, perhaps rounded at the end."""
    return node.head == "relation" and set(node.leaf) <= {"=", _ROUNDING}


def names_differ(gold: Node, answer: Node) -> bool:
    """Tell whether both sides name their values, and name them differently.

    x = 2, x = 4 and x > 2 name one value, a = 2, b = 4 several; a side without names agrees with
    any. The equations y = 2x and 2x - y = 0 name nothing.
    """
    names = _names(gold), _names(answer)
    return bool(names[0] and names[1] and names[0] != names[1])


def _names(node: Node) -> frozenset[Any]:
    members = list(node.parts) if node.head in ("list", "bracket") else [node]
    if node.head == "relation" and not is_equation(node):
        variables = [part.leaf for part in node.parts if part.head == "symbol" and part.leaf]
        return frozenset(variables) if len(variables) == 1 else frozenset()
    if node.head not in ("list", "bracket") and not signs_of(node):
        return frozenset()
    return frozenset(
        member.parts[0] if member.parts[0].head != "applied" else member.parts[0].leaf
        for member in members
        if is_equation(member) and is_named(member)
    )


def common_name(members: list[Node]) -> Node | None:
    """Return the one name that x = 2, x = 4, or x = 2, 4 give to their values, else None."""
    names = [member.parts[0] for member in members if is_equation(member)]
    if not names or not is_equation(members[0]) or not is_named(members[0]):
        return None
    return names[0] if set(names) == {names[0]} else None


def is_name(node: Node) -> bool:
    """Tell whether a tree names a value: x, f(x), (p, q), A : B."""
    if node.head in ("bracket", "ratio", "list"):
        return all(map(is_name, node.parts))
    return node.head in ("symbol", "applied") or _is_product_of_letters(node)


def is_named(equation: Node) -> bool:
    """Tell whether an equation's first member names its value: x = 2, or A^{-1} = a matrix."""
    name, *values = equation.parts
    return is_name(name) or (_is_of_a_matrix(name) and any(map(_holds_a_matrix, values)))


def _is_of_a_matrix(node: Node) -> bool:
    if node.head != "^" or node.parts[1] not in (_INVERSE, symbol("T")):
        return False
    return node.parts[0].head == "symbol" and str(node.parts[0].leaf).isupper()


def _holds_a_matrix(node: Node) -> bool:
    def is_matrix(part: Node) -> bool:
        has_rows = part.head == "bracket" and {row.head for row in part.parts} == {"bracket"}
        return part.head == "matrix" or has_rows

    return any(map(is_matrix, node.walk()))


def _is_product_of_letters(node: Node) -> bool:
    r"""Tell whether a tree is a name of two letters such as AB or CD, read as a product."""
    return node.head == "*" and all(part.head == "symbol" for part in node.parts)


def last_member(equation: Node, same: Same) -> Node | None:
    """Return the value at the end of a chain, or None where it has none or its members differ."""
    members, signs = list(equation.parts), list(equation.leaf)
    if is_named(equation) and signs[0] == "=":
        del members[0], signs[0]
    while signs and signs[-1] == _ROUNDING:
        if not _is_rounded(members[-2], members[-1]):
            return None
        del members[-1], signs[-1]
    if _ROUNDING in signs:
        return None
    pairs = pairwise(members)
    return members[-1] if all(same(a, b) for a, b in pairs) else None


def _is_rounded(exact: Node, rounded: Node) -> bool:
    """Tell whether a decimal is what another value is near."""
    if symbols(exact) | symbols(rounded) or not (is_expression(exact) and is_expression(rounded)):
        return False
    a, b = approximate(exact, 80), approximate(rounded, 80)
    return bool(abs(a - b) <= abs(a) / 20)


def same_equations(gold: Node, answer: Node, same: Same) -> bool:
    """Tell whether two equations name the same value, or have sides in a constant ratio."""
    answer = _renamed(answer, gold.parts[0])
    names = gold.parts[0], answer.parts[0]
    if is_named(gold) and is_named(answer) and names[0] == names[1]:
        value, other = last_member(gold, same), last_member(answer, same)
        return value is not None and other is not None and same(value, other)
    if not (symbols(gold) or symbols(answer)):
        value, other = last_member(gold, same), last_member(answer, same)
        return value is not None and other is not None and same(value, other)
    if len(gold.parts) != 2 or len(answer.parts) != 2 or not _have_values(gold, answer):
        return _same_unread_names(gold, answer, same)
    return proportional(difference(*gold.parts), difference(*answer.parts))


def _renamed(equation: Node, name: Node) -> Node:
    """Return f(t) = t^2 with the arguments that another equation gives the same function."""
    own = equation.parts[0]
    if own.head != "applied" or name.head != "applied" or own.leaf != name.leaf:
        return equation
    if [p.head for p in own.parts] != ["symbol"] or [p.head for p in name.parts] != ["symbol"]:
        return equation
    if name.parts[0].leaf in symbols(Node("list", equation.parts[1:])):
        return equation
    kept = {part: symbol(part) for part in symbols(equation)}
    return substituted(equation, kept | {own.parts[0].leaf: name.parts[0]})


def _same_unread_names(gold: Node, answer: Node, same: Same) -> bool:
    """Compare two named values whose names differ in kind: one side must be equal as it stands."""
    if any(name.head in ("bracket", "ratio") for name in (gold.parts[0], answer.parts[0])):
        raise UnreadError("names")
    return False


def _have_values(*equations: Node) -> bool:
    return all(is_expression(member) for equation in equations for member in equation.parts)


def stated_sum(gold: Node, answer: Node) -> Node:
    """Return the value of a sum of several unknowns: 17 of m + n = 12 + 5 = 17, else the answer.

    Where the gold is a number, such a sum names it, and all further members must be equal numbers.
    A sum that is 0 may be an equation, and names nothing.
    """
    if not is_equation(answer) or "=" not in answer.leaf[:1] or not _is_number(gold):
        return answer
    name, *values = answer.parts
    is_sum = name.head in ("+", "*", "/") and len(symbols(name)) > 1
    if not is_sum or not all(part.head in _SUM for part in name.walk()):
        return answer
    if not all(map(_is_number, values)) or equal_expressions(measure(values[-1])[0], number(0)):
        return answer
    return Node("relation", (symbol(""), *values), answer.leaf)


def _is_number(node: Node) -> bool:
    value = measure(node)[0]
    return is_expression(value) and not symbols(value)


def same_chains(gold: Node, answer: Node, same: Same) -> bool:
    """Tell whether two chains of relations have the same members, read from either end."""
    mirrored = Node(
        "relation",
        answer.parts[::-1],
        tuple(_MIRRORED.get(sign, sign) for sign in reversed(answer.leaf)),
    )
    return any(
        gold.leaf == other.leaf and all(map(same, gold.parts, other.parts))
        for other in (answer, mirrored)
    )


def same_inequalities(gold: Node, answer: Node) -> bool:
    """Tell whether two inequalities of two members have sides in a positive constant ratio.

    Raises:
        UnreadError: they are chains, or have no values.
    """
    if len(gold.parts) != 2 or len(answer.parts) != 2 or not _have_values(gold, answer):
        raise UnreadError("inequality")
    sign, other = gold.leaf[0], answer.leaf[0]
    a, b = difference(*gold.parts), difference(*answer.parts)
    if other not in (sign, _MIRRORED.get(sign)) or not proportional(a, b):
        return False
    for point in points(symbols(a) | symbols(b), a, b):
        x, y = (approximate(substituted(side, point), 200).real for side in (a, b))
        return bool((x > 0) == (y > 0)) == (other == sign) or sign == r"\ne"
    return False
