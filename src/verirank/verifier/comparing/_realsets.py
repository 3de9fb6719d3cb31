"""Sets of real numbers: intervals, points, relations and what they are joined to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cmp_to_key
from itertools import combinations
from typing import Any

from verirank.verifier.comparing._numeric import approximate, equal_values
from verirank.verifier.reading import (
    ALTERNATIVES,
    REALS,
    Node,
    RefusedError,
    UnreadError,
    constant,
    difference,
    is_expression,
    number,
    signs_of,
    symbols,
)

_PRECISION = 200
_MAX_PIECES = 40
_MIRRORED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", "=": "=", r"\ne": r"\ne"}


@dataclass(frozen=True, slots=True)
class Piece:
    """An interval, or a point where both ends are the same; infinite ends are open."""

    low: Node
    high: Node
    has_low: bool
    has_high: bool


_INFINITY = constant("infinity")
_MINUS_INFINITY = Node("-", (_INFINITY,))
_ALL = (Piece(_MINUS_INFINITY, _INFINITY, False, False),)


def real_set(node: Node) -> tuple[Piece, ...]:
    """Return the disjoint pieces, in order, of a set of real numbers.

    Raises:
        UnreadError: the tree is no such set, or its ends are no real numbers.
        ZeroDivisionError: an end divides by zero.
    """
    return _merged(_pieces(node))


def same_sets(a: tuple[Piece, ...], b: tuple[Piece, ...]) -> bool:
    """Tell whether two sets have the same pieces."""
    return len(a) == len(b) and all(
        (p.has_low, p.has_high) == (q.has_low, q.has_high)
        and _compare(p.low, q.low) == 0
        and _compare(p.high, q.high) == 0
        for p, q in zip(a, b, strict=True)
    )


def is_real_set(node: Node) -> bool:
    """Tell whether a tree can only be a set of real numbers, and is no tuple or list."""
    if node.head in ("union", "intersection", "difference", "numbers", "builder"):
        return True
    if node.head == "bracket":
        is_mixed = node.leaf in ("(]", "[)", "][", "[[", "]]")
        return len(node.parts) == 2 and (is_mixed or any(map(is_infinite, node.parts)))
    return node.head == "relation" and bool(set(node.leaf) - {"=", r"\approx", r"\equiv"})


def joined(node: Node, head: str) -> list[Node]:
    """Return the sets that a union, perhaps of unions, joins."""
    if node.head != head:
        return [node]
    return [member for part in node.parts for member in joined(part, head)]


def is_closed_at_infinity(node: Node) -> bool:
    """Tell whether an interval, or one of a union's, contains an infinite end."""
    return any(
        part.head == "bracket"
        and len(part.parts) == 2
        and (
            (is_infinite(part.parts[0]) and part.leaf[0] == "[")
            or (is_infinite(part.parts[1]) and part.leaf[-1] == "]")
        )
        for part in node.walk()
    )


def _pieces(node: Node) -> list[Piece]:
    head, parts = node.head, node.parts
    if head == "bracket" and node.leaf == r"\{\}":
        return [piece for part in parts for piece in _point(part)]
    if head == "bracket" and len(parts) == 2:
        return [_interval(*parts, node.leaf)]
    if head == "numbers" and node.leaf == "R":
        return list(_ALL)
    if head == "relation":
        return _of_relation(node)
    if head == "builder" and parts[2:] in ((), (REALS,)):
        if symbols(parts[1]) != symbols(parts[0]):
            raise UnreadError("a condition on another symbol")
        return _pieces(parts[1])
    if head == "union":
        return _pieces(parts[0]) + _pieces(parts[1])
    if head == "list" and all(part.head in ("relation", "bracket") for part in parts):
        return _of_list(node)
    if head == "intersection":
        return _meet(real_set(parts[0]), real_set(parts[1]))
    if head == "difference":
        return _meet(real_set(parts[0]), _complement(real_set(parts[1])))
    return _point(node)


def _of_list(node: Node) -> list[Piece]:
    """Return the pieces of a list: "or" joins, "and" meets, and commas do what they can mean.

    Relations that hold together meet: x > -2, x < 5. Those that exclude each other join, and so do
    intervals: x < -1, x > 1; "(0,1) and (2,3)" are two intervals, too.
    """
    if len(symbols(node)) > 1:
        raise UnreadError("relations of several variables")
    words = set(node.leaf) - {",", ";"}
    is_mixed = bool(words & ALTERNATIVES and words - ALTERNATIVES)
    if is_mixed and words != set(node.leaf):
        raise RefusedError("commas among and, or")
    if is_mixed:
        return [piece for group in _alternatives(node) for piece in _all_of(group)]
    sets = [real_set(part) for part in node.parts]
    are_intervals = all(part.head == "bracket" for part in node.parts)
    if are_intervals and not any(_meet(a, b) for a, b in combinations(sets, 2)):
        return [piece for pieces in sets for piece in pieces]
    if words - ALTERNATIVES or (not words and _hold_together(node, sets)):
        return _all_of(list(node.parts))
    return [piece for pieces in sets for piece in pieces]


def _alternatives(node: Node) -> list[list[Node]]:
    groups = [[node.parts[0]]]
    for word, part in zip(node.leaf, node.parts[1:], strict=True):
        if word in ALTERNATIVES:
            groups.append([])
        groups[-1].append(part)
    return groups


def _all_of(parts: list[Node]) -> list[Piece]:
    pieces = list(_ALL)
    for part in parts:
        pieces = _meet(_merged(pieces), real_set(part))
    if not pieces:
        raise RefusedError("relations that exclude each other")
    return pieces


def _hold_together(node: Node, sets: list[tuple[Piece, ...]]) -> bool:
    """Tell whether relations parted by commas are conditions on one value, and no alternatives."""
    if not all(part.head == "relation" for part in node.parts):
        return False
    pairs = [bool(_meet(a, b)) for a, b in combinations(sets, 2)]
    if any(pairs) and not all(pairs):
        raise RefusedError("relations of which some exclude others")
    return all(pairs)


def _point(node: Node) -> list[Piece]:
    sides = expanded(node)
    for side in sides:
        _order(side)
    return [Piece(side, side, True, True) for side in sides]


def _interval(low: Node, high: Node, signs: str) -> Piece:
    if signs not in ("()", "(]", "[)", "[]", "][", "]]", "[["):
        raise UnreadError(signs)
    closed_low, closed_high = signs[0] == "[", signs[1] == "]"
    if (closed_low and is_infinite(low)) or (closed_high and is_infinite(high)):
        raise UnreadError("closed at infinity")
    if _compare(low, high) >= 0:
        raise UnreadError("empty interval")
    return Piece(low, high, closed_low, closed_high)


def _of_relation(node: Node) -> list[Piece]:
    members, signs = node.parts, node.leaf
    if signs == (r"\in",):
        return _pieces(members[1])
    if len(members) == 2 and (distance := _distance(node)):
        return distance
    variables = [member for member in members if member.head == "symbol"]
    if len(variables) != 1:
        raise UnreadError("relation of several variables")
    at = members.index(variables[0])
    pieces = list(_ALL)
    if len(members) > 3 or (len(members) == 3 and at != 1):
        raise UnreadError("chain")
    for other, sign in zip(members[1:], signs, strict=True):
        left = members[members.index(other) - 1]
        bound, sign = (other, sign) if left == variables[0] else (left, _MIRRORED.get(sign, ""))
        pieces = _meet(_merged(pieces), _merged(_half_line(bound, sign)))
    return pieces


def _distance(node: Node) -> list[Piece] | None:
    """Return the pieces of |x| < a and |x - c| > a, or None where a relation is none of these."""
    (left, right), sign = node.parts, node.leaf[0]
    if right.head == "call":
        left, right, sign = right, left, _MIRRORED.get(sign, "")
    if left.head != "call" or left.leaf != "abs" or symbols(right):
        return None
    centre = _centre(left.parts[0])
    if centre is None or _compare(right, number(0)) <= 0:
        raise UnreadError("distance")
    low, high = difference(centre, right), Node("+", (centre, right))
    closed = sign in (r"\le", r"\ge")
    inside = (Piece(low, high, closed, closed),)
    if sign in ("<", r"\le"):
        return list(inside)
    outside = (Piece(low, high, not closed, not closed),)
    return list(_complement(outside)) if sign in (">", r"\ge") else None


def _centre(node: Node) -> Node | None:
    if node.head == "symbol":
        return number(0)
    if node.head == "+" and node.parts[0].head == "symbol" and not symbols(node.parts[1]):
        return Node("-", (node.parts[1],))
    return None


def _half_line(bound: Node, sign: str) -> list[Piece]:
    if sign in (">", r"\ge"):
        return [Piece(bound, _INFINITY, sign != ">", False)]
    if sign in ("<", r"\le"):
        return [Piece(_MINUS_INFINITY, bound, False, sign != "<")]
    if sign == "=":
        return _point(bound)
    if sign == r"\ne":
        return list(_complement(_merged(_point(bound))))
    raise UnreadError(sign)


def _merged(pieces: list[Piece]) -> tuple[Piece, ...]:
    if len(pieces) > _MAX_PIECES:
        raise UnreadError("too many pieces")
    merged: list[Piece] = []
    for piece in sorted(pieces, key=cmp_to_key(_by_low)):
        last = merged[-1] if merged else None
        order = _compare(last.high, piece.low) if last else -1
        if last is None or order < 0 or (order == 0 and not (last.has_high or piece.has_low)):
            merged.append(piece)
            continue
        beyond = _compare(last.high, piece.high)
        high = last.high if beyond >= 0 else piece.high
        has_high = (last.has_high and beyond >= 0) or (piece.has_high and beyond <= 0)
        has_low = last.has_low or (piece.has_low and _compare(last.low, piece.low) == 0)
        merged[-1] = Piece(last.low, high, has_low, has_high)
    return tuple(merged)


def _by_low(a: Piece, b: Piece) -> int:
    return _compare(a.low, b.low) or int(b.has_low) - int(a.has_low)


def _meet(a: tuple[Piece, ...], b: tuple[Piece, ...]) -> list[Piece]:
    met = []
    for p in a:
        for q in b:
            low, high = _compare(p.low, q.low), _compare(p.high, q.high)
            piece = Piece(
                p.low if low >= 0 else q.low,
                p.high if high <= 0 else q.high,
                (p.has_low or low < 0) and (q.has_low or low > 0),
                (p.has_high or high > 0) and (q.has_high or high < 0),
            )
            order = _compare(piece.low, piece.high)
            if order < 0 or (order == 0 and piece.has_low and piece.has_high):
                met.append(piece)
    return met


def _complement(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    gaps, low, has_low = [], _MINUS_INFINITY, False
    for piece in pieces:
        if _compare(low, piece.low) < 0 or (has_low and not piece.has_low):
            gaps.append(Piece(low, piece.low, has_low, not piece.has_low))
        low, has_low = piece.high, not piece.has_high
    if not is_infinite(low) or low == _MINUS_INFINITY:
        gaps.append(Piece(low, _INFINITY, has_low, False))
    return tuple(gaps)


def _compare(a: Node, b: Node) -> int:
    x, y = _order(a), _order(b)
    if is_infinite(a) or is_infinite(b):
        return (x > y) - (x < y)
    if equal_values(a, b):
        return 0
    return 1 if x > y else -1


def is_infinite(node: Node) -> bool:
    """Tell whether a tree is infinity, or minus infinity."""
    return node == _INFINITY or (node.head == "-" and node.parts[0] == _INFINITY)


def _order(node: Node) -> Any:
    if is_infinite(node):
        return float("inf") if node == _INFINITY else float("-inf")
    if not is_expression(node) or symbols(node):
        raise UnreadError("no real number")
    value = approximate(node, _PRECISION)
    if abs(value.imag) > abs(value) * 2**-100:
        raise UnreadError("complex")
    return value.real


def expanded(node: Node) -> list[Node]:
    r"""Return the values that a tree with \pm and \mp stands for, the same sign at every place."""
    signs = signs_of(node)
    if not signs:
        return [node]
    if len(signs) > 1 and "-+" not in signs and node.head != "bracket":
        raise RefusedError("signs that may be chosen apart")
    return [_with_sign(node, positive) for positive in (True, False)]


def _with_sign(node: Node, positive: bool) -> Node:
    parts = tuple(_with_sign(part, positive) for part in node.parts)
    if node.head not in ("+-", "-+"):
        return Node(node.head, parts, node.leaf)
    last = parts[-1] if (node.head == "+-") == positive else Node("-", (parts[-1],))
    return last if len(parts) == 1 else Node("+", (parts[0], last))
