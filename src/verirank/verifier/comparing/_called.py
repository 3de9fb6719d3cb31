r"""Names before parentheses: functions, as in \phi(n), or factors, as in \lambda(a+b).

A name is a function wherever an argument of it is no sum: nobody writes \phi(2n) for a product.
Where all are sums, it is a factor if it stands alone elsewhere in the pair, as \lambda in
\lambda a+\lambda b; a Latin capital is one anyway, as in P(1+r)^2. The number pi is a function,
which counts primes, only where both sides write it so before one term and neither alone.
"""

from __future__ import annotations

from verirank.verifier.reading import Node, constant, symbol

_PI = constant("pi")


def with_roles(gold: Node, answer: Node) -> tuple[Node, Node]:
    """Return two trees in which what is `called` is the value of a function or a product."""
    called = [_called(side) for side in (gold, answer)]
    names = {part.leaf for parts in called for part in parts}
    if not names:
        return gold, answer
    factors = frozenset(
        name
        for name in names
        if (_is_number(gold, answer) if name == "pi" else _is_factor(name, gold, answer))
    )
    return _resolved(gold, factors), _resolved(answer, factors)


def _called(node: Node) -> list[Node]:
    return [part for part in node.walk() if part.head == "called"]


def _is_number(*sides: Node) -> bool:
    """Tell whether pi is the number."""
    is_alone = any(part == _PI for side in sides for part in side.walk())
    return is_alone or not all(any(p.leaf == "pi" for p in _called(side)) for side in sides)


def _is_factor(name: str, *sides: Node) -> bool:
    parts = [part for side in sides for part in side.walk()]
    arguments = [part.parts[0] for part in parts if part.head == "called" and part.leaf == name]
    is_function = any(part.head == "applied" and part.leaf == name for part in parts)
    if is_function or any(argument.head != "+" for argument in arguments):
        return False
    is_first = any(
        part.head == "relation" and (part.parts[0].head, part.parts[0].leaf) == ("called", name)
        for part in parts
    )
    is_capital = len(name.partition("_")[0]) == 1
    return is_capital or is_first or symbol(name) in parts


def _resolved(node: Node, factors: frozenset[str]) -> Node:
    parts = tuple(_resolved(part, factors) for part in node.parts)
    if node.head == "called":
        if node.leaf not in factors:
            return Node("applied", parts, node.leaf)
        return Node("*", (_PI if node.leaf == "pi" else symbol(node.leaf), *parts))
    if _is_power_of_factor(node, factors):
        factor, argument = parts[0].parts
        return Node("*", (factor, Node(node.head, (argument, *parts[1:]), node.leaf)))
    return Node(node.head, parts, node.leaf)


def _is_power_of_factor(node: Node, factors: frozenset[str]) -> bool:
    r"""Tell whether a node is a power or factorial of what a factor stands before: \pi(r)^2."""
    while node.head == "^" or (node.head == "call" and node.leaf == "factorial"):
        node = node.parts[0]
        if node.head == "called":
            return node.leaf in factors
    return False
