"""Whether two trees state the same answer, kind by kind."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from verirank.verifier.comparing._cases import same_cases
from verirank.verifier.comparing._measures import measure, same_measures
from verirank.verifier.comparing._realsets import (
    expanded,
    is_closed_at_infinity,
    is_infinite,
    is_real_set,
    joined,
    real_set,
    same_sets,
)
from verirank.verifier.comparing._relations import (
    common_name,
    is_equation,
    is_named,
    last_member,
    names_differ,
    same_chains,
    same_equations,
    same_inequalities,
    stated_sum,
)
from verirank.verifier.comparing._symbolic import equal_expressions
from verirank.verifier.comparing._unknowns import without_unknowns
from verirank.verifier.reading import (
    Node,
    UnreadError,
    is_expression,
    number,
    signs_of,
    symbol,
    symbols,
)

_MAX_MEMBERS = 60
_CONSTANTS_OF_INTEGRATION = ("C", "c", "K", "k")


def same(gold: Node, answer: Node) -> bool:
    """Tell whether an answer states what the gold states; a set of one value states that value.

    Raises:
        UnreadError: that cannot be decided here.
        ZeroDivisionError: a side divides by zero.
    """
    gold, answer, is_open = without_unknowns(gold, stated_sum(gold, answer))
    equal = _same(*(_single_value(side) for side in (gold, answer)))
    if is_open and not equal:
        raise UnreadError("sums of other forms")
    return equal


def _single_value(node: Node) -> Node:
    is_set = node.head == "bracket" and node.leaf == r"\{\}" and len(node.parts) == 1
    is_value = is_set and node.parts[0].head not in ("bracket", "list")
    return node.parts[0] if is_value else node


def _same(gold: Node, answer: Node) -> bool:
    if gold == answer:
        return True
    if names_differ(gold, answer):
        return False
    gold, answer = _simplified(gold), _simplified(answer)
    if gold == answer:
        return True
    if is_infinite(gold) or is_infinite(answer) or gold.head == answer.head == "numbers":
        return False
    if is_equation(gold) or is_equation(answer):
        return _same_with_equation(gold, answer)
    if _is_matrix(gold) or _is_matrix(answer):
        return _same_matrices(gold, answer)
    if "cases" in (gold.head, answer.head):
        return gold.head == answer.head and same_cases(gold.parts, answer.parts, _same)
    if "congruence" in (gold.head, answer.head):
        return gold.head == answer.head and _same_congruences(gold, answer)
    if _is_set_of_reals(gold) or _is_set_of_reals(answer):
        return _same_real_sets(gold, answer)
    if "ratio" in (gold.head, answer.head):
        return _same_ratios(gold, answer)
    if gold.head in ("list", "bracket") or answer.head in ("list", "bracket"):
        return _same_collections(gold, answer)
    if "relation" in (gold.head, answer.head):
        return gold.head == answer.head and same_inequalities(gold, answer)
    return _same_expressions(gold, answer)


def _simplified(node: Node) -> Node:
    r"""Return x \in S as S, values of \pm as a list."""
    if node.head == "relation" and node.leaf == (r"\in",):
        return _simplified(node.parts[1])
    if node.head in ("+-", "-+") or (node.head not in ("list", "bracket") and signs_of(node)):
        return Node("list", tuple(expanded(node)), ("or",))
    return node


def _same_expressions(gold: Node, answer: Node) -> bool:
    if measure(gold)[0] != gold or measure(answer)[0] != answer:
        return same_measures(gold, answer)
    if not (is_expression(gold) and is_expression(answer)):
        raise UnreadError("no expression")
    return equal_expressions(gold, _with_constant_of(gold, answer))


def _with_constant_of(gold: Node, answer: Node) -> Node:
    """Return an antiderivative with its constant named as the gold's is."""
    names = symbols(gold)
    constant = next((name for name in ("C", "c") if name in names), None)
    if constant is None or gold.head != "+" or symbol(constant) not in gold.parts:
        return answer
    for name in _CONSTANTS_OF_INTEGRATION:
        if name not in names and answer.head == "+" and symbol(name) in answer.parts:
            parts = tuple(symbol(constant) if p == symbol(name) else p for p in answer.parts)
            return Node("+", parts)
    return answer


def _same_with_equation(gold: Node, answer: Node) -> bool:
    if is_equation(gold) and is_equation(answer):
        return same_equations(gold, answer, _same)
    if is_equation(answer):
        value = last_member(answer, _same)
        return value is not None and _same(gold, value)
    if not is_named(gold):
        return False
    value = last_member(gold, _same)
    return value is not None and _same(value, answer)


def _is_set_of_reals(node: Node) -> bool:
    if node.head == "list" and node.parts:
        return all(is_real_set(part) for part in node.parts)
    return is_real_set(node)


def _same_real_sets(gold: Node, answer: Node) -> bool:
    if any(is_expression(side) and symbols(side) for side in (gold, answer)):
        return False
    if is_closed_at_infinity(answer) and not is_closed_at_infinity(gold):
        return False
    if "bracket" in (gold.head, answer.head) and _is_long_bracket(gold, answer):
        return False
    try:
        return same_sets(real_set(gold), real_set(answer))
    except UnreadError:
        return _same_in_form(gold, answer)


def _is_long_bracket(*sides: Node) -> bool:
    return any(
        side.head == "bracket" and side.leaf == "()" and len(side.parts) > 2 for side in sides
    )


def _same_in_form(gold: Node, answer: Node) -> bool:
    """Compare intervals, unions and relations whose ends have symbols, part by part."""
    if gold.head == answer.head == "relation":
        is_chain = len(gold.parts) == len(answer.parts) > 2
        return (is_chain and same_chains(gold, answer, _same)) or same_inequalities(gold, answer)
    if gold.head == answer.head and gold.head in ("union", "intersection"):
        return _same_in_any_order(joined(gold, gold.head), joined(answer, gold.head))
    is_alike = gold.head == answer.head and len(gold.parts) == len(answer.parts)
    has_several = len(symbols(gold)) > 1
    if is_alike and has_several and gold.head == "list" and _words(gold) == _words(answer):
        return _same_in_any_order(list(gold.parts), list(answer.parts))
    if not is_alike or gold.leaf != answer.leaf:
        raise UnreadError("different forms")
    return all(_same_ends(g, a) for g, a in zip(gold.parts, answer.parts, strict=True))


def _words(node: Node) -> frozenset[str]:
    """Return the words between the members of a list; commas mean "and"."""
    return frozenset("and" if word in (",", ";") else word for word in node.leaf or ())


def _same_ends(gold: Node, answer: Node) -> bool:
    return gold == answer or ("constant" not in (gold.head, answer.head) and _same(gold, answer))


def _same_ratios(gold: Node, answer: Node) -> bool:
    if gold.head == answer.head == "ratio":
        if len(gold.parts) != len(answer.parts):
            return False
        if all(_same(g, a) for g, a in zip(gold.parts, answer.parts, strict=True)):
            return True
        g, a = gold.parts, answer.parts
        if any(equal_expressions(part, number(0)) for part in g + a):
            return False
        crossed = ((Node("*", (g[0], y)), Node("*", (a[0], x))) for x, y in zip(g, a, strict=True))
        return all(equal_expressions(left, right) for left, right in crossed)
    ratio, other = (gold, answer) if gold.head == "ratio" else (answer, gold)
    if len(ratio.parts) != 2 or not is_expression(other):
        return False
    return equal_expressions(Node("/", ratio.parts), other)


def _same_congruences(gold: Node, answer: Node) -> bool:
    """Compare residues and moduli; the name of what they are of may be left out."""
    (residue, modulus, *name), (other, other_modulus, *other_name) = gold.parts, answer.parts
    if name and other_name and name != other_name:
        return False
    if not equal_expressions(modulus, other_modulus):
        return False
    reduced = [Node("call", (value, modulus), "mod") for value in (residue, other)]
    return equal_expressions(residue, other) or equal_expressions(*reduced)


def _is_matrix(node: Node) -> bool:
    return any(part.head == "matrix" for part in node.walk())


def _same_matrices(gold: Node, answer: Node) -> bool:
    rows, others = _rows(gold), _rows(answer)
    if rows is None or others is None:
        return _same_vectors(gold, rows, answer, others)
    shapes = [[len(row) for row in side] for side in (rows, others)]
    return shapes[0] == shapes[1] and all(
        _same(g, a)
        for row, other in zip(rows, others, strict=True)
        for g, a in zip(row, other, strict=True)
    )


def _same_vectors(gold: Node, rows: Any, answer: Node, others: Any) -> bool:
    """Compare a matrix of one column or one row with a tuple, the other notation of a vector."""
    matrix, collection = (rows, answer) if others is None else (others, gold)
    brackets = ("()", "[]") if others is None else ("()",)  # [2,5] may be an interval
    if matrix is None or collection.head != "bracket" or collection.leaf not in brackets:
        return False
    is_vector = len(matrix) == 1 or all(len(row) == 1 for row in matrix)
    cells = [cell for row in matrix for cell in row]
    sides = (cells, list(collection.parts))
    return is_vector and _same_in_order(*(sides if others is None else sides[::-1]))


def _rows(node: Node) -> list[tuple[Node, ...]] | None:
    """Return the rows of a matrix, of nested brackets, or of a matrix times a number."""
    if node.head == "matrix":
        if node.leaf:
            raise UnreadError("determinant")
        return [row.parts for row in node.parts]
    if node.head == "bracket" and all(part.head == "bracket" for part in node.parts):
        return [part.parts for part in node.parts]
    if node.head in ("*", "/", "-"):
        scalars = [part for part in node.parts if not _is_matrix(part)]
        matrices = [part for part in node.parts if _is_matrix(part)]
        if len(matrices) != 1 or (node.head == "/" and matrices[0] == node.parts[1]):
            raise UnreadError("product of matrices")
        rows = _rows(matrices[0])
        return rows and [tuple(_applied(node.head, cell, scalars) for cell in row) for row in rows]
    if node.head == "^" and node.parts[1] == symbol("T"):
        rows = _rows(node.parts[0])
        return rows and list(zip(*rows, strict=True))
    if is_expression(node) or node.head in ("list", "bracket"):
        return None
    raise UnreadError("matrix")


def _applied(head: str, cell: Node, scalars: list[Node]) -> Node:
    return Node(head, (cell, *scalars))


def _same_collections(gold: Node, answer: Node) -> bool:
    kinds = _collection(gold), _collection(answer)
    golds, answers = _members(gold), _members(answer)
    if len(golds) > _MAX_MEMBERS or len(answers) > _MAX_MEMBERS:
        raise UnreadError("too many members")
    if any(member.head == "ellipsis" for member in golds + answers):
        return kinds[0] == kinds[1] and _same_in_order(golds, answers)
    if set(kinds) == {"one", "{}"} and len(golds) == len(answers) == 1:
        return False
    if kinds[0] in ("()", "[]"):
        if kinds[1] == "list" and (values := _values_in_order(answers)):
            return _same_in_order(golds, values) if kinds[0] == "()" else False
        if kinds[1] == "list" and kinds[0] == "[]":
            return len(golds) > 2 and _same_in_order(golds, answers)
        return kinds[0] == kinds[1] and _same_in_order(golds, answers)
    if kinds == ("list", "()") and (values := _values_in_order(golds)):
        return _same_in_order(values, answers)
    if kinds[1] in ("()", "[]", "mixed"):
        return kinds == ("list", "[]") and len(golds) > 2 and _same_in_order(golds, answers)
    if kinds[0] == "mixed":
        raise UnreadError("half-open interval")
    if kinds[0] == "{}":
        return _same_sets(golds, answers)
    if len(golds) != len(answers):
        return False
    if kinds == ("list", "list") and _is_ordered(gold, golds, answers):
        return _same_in_order(golds, answers)
    return _same_in_any_order(golds, answers)


def _collection(node: Node) -> str:
    if node.head == "bracket":
        return {r"\{\}": "{}", "()": "()", "[]": "[]"}.get(node.leaf, "mixed")
    return "list" if node.head == "list" else "one"


def _members(node: Node) -> list[Node]:
    r"""Return the members of a collection, with each \pm written out where order is free."""
    if node.head not in ("list", "bracket"):
        return [node]
    if node.head == "bracket" and node.leaf != r"\{\}":
        return list(node.parts)
    members = [side for part in node.parts for side in expanded(part)]
    return _without_common_name(members)


def _without_common_name(members: list[Node]) -> list[Node]:
    """Return the values of x = 2, x = 4, or of x = 2, 4; other members stay as they are."""
    name = common_name(members)
    if name is None:
        return members
    return [member.parts[-1] if is_equation(member) else member for member in members]


def _values_in_order(members: list[Node]) -> list[Node] | None:
    """Return the values of a = 1, b = 2 in their order, or None where they are not all named."""
    names = [member.parts[0] for member in members if is_equation(member)]
    if (
        len(names) != len(members)
        or len(set(names)) != len(names)
        or not all(map(is_named, members))
    ):
        return None
    stated = sorted(members, key=_letter) if _are_neighbours(names) else members
    return [member.parts[-1] for member in stated]


def _letter(member: Node) -> str:
    return str(member.parts[0].leaf)


def _are_neighbours(names: list[Node]) -> bool:
    """Tell whether names are letters in a row, such as x, y, z or p, q: they have an order."""
    letters = [str(name.leaf) for name in names if name.head == "symbol"]
    if len(letters) != len(names) or any(len(letter) != 1 for letter in letters):
        return False
    codes = sorted(map(ord, letters))
    return codes[-1] - codes[0] == len(codes) - 1


def _is_ordered(gold: Node, golds: list[Node], answers: list[Node]) -> bool:
    """Tell whether a bare list's order counts.

    It does where the gold's numbers neither rise nor fall and the answer's do not rise: who sorts
    three numbers or more states a set.
    """
    if len(golds) < 3 or set(gold.leaf) - {",", ";"} or not all(map(_is_number, golds + answers)):
        return False
    values, stated = ([_number(member) for member in side] for side in (golds, answers))
    return stated != sorted(stated) and not any(
        list(key) == sorted(key, reverse=falling)
        for key in (values, [abs(value) for value in values])
        for falling in (False, True)
    )


def _number(member: Node) -> Fraction:
    return member.leaf if member.head == "number" else -member.parts[0].leaf


def _is_number(node: Node) -> bool:
    return node.head == "number" or (node.head == "-" and node.parts[0].head == "number")


def _same_sets(golds: list[Node], answers: list[Node]) -> bool:
    """Tell whether each set holds the other's members, however often they are written."""
    return all(any(_same(g, a) for g in golds) for a in answers) and all(
        any(_same(g, a) for a in answers) for g in golds
    )


def _same_in_order(golds: list[Node], answers: list[Node]) -> bool:
    if len(golds) != len(answers):
        return False
    return all(_same(g, a) for g, a in zip(golds, answers, strict=True))


def _same_in_any_order(golds: list[Node], answers: list[Node]) -> bool:
    if (values := _values_in_order(golds)) and not _values_in_order(answers):
        return _same_in_order(values, answers)
    left = list(answers)
    for gold in golds:
        match = next((at for at, answer in enumerate(left) if _same(gold, answer)), None)
        if match is None:
            return False
        del left[match]
    return True
