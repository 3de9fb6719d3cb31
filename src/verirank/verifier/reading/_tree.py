"""The tree that a text is read as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


class UnreadError(Exception):
    """The text is of no kind that is read here."""


class RefusedError(UnreadError):
    """The text has several readings, or cannot be decided: no comparison may accept it."""


@dataclass(frozen=True, slots=True)
class Node:
    """A head with its parts, or a leaf with its content.

    Expressions: number (a Fraction), symbol (a name), constant (i, e, pi, infinity, degree),
    + * / ^ - with their operands, root (radicand, index), call (arguments; the function's name),
    +- and -+ (one operand or two), percent, quantity (value; its Unit), applied (arguments;
    the name of an unknown function), called (argument; a name that is a function's or a factor),
    sum and product (variable, first, last, term), derivative
    (d of what, d of what).
    Statements: list, bracket (members; opening and closing sign), relation (members; its signs),
    union, intersection, difference, matrix (rows), row, builder (variable, condition), ratio,
    congruence (residue, modulus, perhaps of what), cases (each a case: value and condition), words
    (their text), ellipsis.
    """

    head: str
    parts: tuple[Node, ...] = ()
    leaf: Any = None

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.parts))

    def is_deeper_than(self, levels: int) -> bool:
        """Tell whether the tree has more levels below its root than so many."""
        level: list[Node] = [self]
        for _ in range(levels + 1):
            level = [part for node in level for part in node.parts]
        return bool(level)


def number(value: Fraction | int) -> Node:
    """Return the leaf of an exact number."""
    return Node("number", leaf=Fraction(value))


def symbol(name: str) -> Node:
    """Return the leaf of a variable or another name without a value."""
    return Node("symbol", leaf=name)


def constant(name: str) -> Node:
    """Return the leaf of i, e, pi, infinity or degree."""
    return Node("constant", leaf=name)


def difference(a: Node, b: Node) -> Node:
    """Return a - b."""
    return Node("+", (a, Node("-", (b,))))


def symbols(node: Node) -> frozenset[str]:
    """Return the names of all symbols in a tree."""
    return frozenset(part.leaf for part in node.walk() if part.head == "symbol")


EMPTY = Node("bracket", (), r"\{\}")
"""The empty set."""

REALS = Node("numbers", leaf="R")
"""The set of the real numbers."""

POSITIVE = Node("bracket", (number(0), constant("infinity")), "()")
"""The set of the positive real numbers."""

NOT_NEGATIVE = Node("bracket", POSITIVE.parts, "[)")
"""The set of the real numbers that are not negative."""

EXPRESSION_HEADS = frozenset(
    {"number", "symbol", "constant", "+", "*", "/", "^", "-", "root", "call", "percent"}
)


def is_expression(node: Node) -> bool:
    """Tell whether a tree has one value, given its symbols."""
    return all(part.head in EXPRESSION_HEADS for part in node.walk())


def signs_of(node: Node) -> list[str]:
    r"""Return the heads of all choices of a sign in a tree: "+-" for \pm, "-+" for \mp."""
    return [part.head for part in node.walk() if part.head in ("+-", "-+")]
