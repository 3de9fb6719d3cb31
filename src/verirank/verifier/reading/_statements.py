"""Tokens to trees: lists, relations, sets, intervals, tuples and matrices of expressions."""

from __future__ import annotations

import re

from verirank.verifier.reading._characters import UPRIGHT
from verirank.verifier.reading._expressions import CONNECTORS, ExpressionReader
from verirank.verifier.reading._programs import from_program
from verirank.verifier.reading._scanner import tokens
from verirank.verifier.reading._tree import (
    EMPTY,
    POSITIVE,
    Node,
    RefusedError,
    UnreadError,
    symbol,
)

_RELATIONS = ("=", "<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\approx", r"\notin", r"\equiv")
_OPENING, _CLOSING = ("(", "[", r"\{", "]", r"\langle"), (")", "]", r"\}", r"\rangle")
_SET_OPERATORS = {r"\cup": "union", r"\cap": "intersection", r"\setminus": "difference"}
_OPERATORS = ("E", "P")
"""Of the letters with double strokes: expectation and probability."""
_SET_WORDS = {"U": "union"}
_CASES = (r"\begin{cases}", r"\end{cases}")
_ENVIRONMENT = re.compile(r"\\begin\{(\w*matrix|array)\*?\}")
_PROGRAM = re.compile(
    r"(?:(?:sp|sympy|np|numpy|torch)\.)?(?:[Mm]atrix|array|tensor|ImmutableMatrix)\s*\((.*)\)",
    re.DOTALL,
)
_ROWS = re.compile(r"\[\s*([-\d./ ,]+(?:;[-\d./ ,]+)+)\s*\]", re.ASCII)


def parsed(text: str, *, digit_groups: bool = True, tight_units: bool = False) -> Node:
    """Return the tree of a text.

    Args:
        text: a statement in LaTeX, plain, Unicode or a program's notation.
        digit_groups: whether `100,200` is one number, else a list of two.
        tight_units: whether a letter directly after a number is its unit, as in `5m`.

    Raises:
        UnreadError: the text is not of this grammar.
    """
    if program := _PROGRAM.fullmatch(text):
        text = program[1]
    text = _ROWS.sub(_program_rows, from_program(text))
    scanned = tokens(text, digit_groups=digit_groups)
    if not scanned:
        raise UnreadError("tokens")
    reader = StatementReader(scanned, tight_units=tight_units)
    node = reader.list()
    if reader.next():
        raise UnreadError(reader.next())
    return node


class StatementReader(ExpressionReader):
    """Reads what has no single value, above the expressions."""

    def list(self, end: tuple[str, ...] = ("",)) -> Node:
        """Read items up to an end; a single item is itself, no list."""
        if self.next() in end:
            return Node("list")
        items, separators = [self._item()], []
        while separator := self._separator():
            if self.next() in end:
                break
            separators.append(separator)
            items.append(self._item())
        if all(item.head == "case" for item in items):
            return Node("cases", tuple(items))
        if items[-1].head == "congruence" and len(items[-1].parts) == 2:
            items = _congruences(items)
        return Node("list", tuple(items), tuple(separators)) if separators else items[0]

    def _separator(self) -> str:
        separator = self.accept(",", ";")
        word = self.next().removeprefix(UPRIGHT)
        if self.kind() == "word" and word in CONNECTORS:
            self.take()
            separator = word
        return separator

    def _item(self) -> Node:
        r"""Read a member of a list: dots, a statement, or one with its condition: 2 if x > 1."""
        if self.accept(r"\ldots"):
            return Node("ellipsis")
        item = self._relation()
        if self.accept_words("if"):
            return Node("case", (item, self._relation()))
        return item

    def _relation(self) -> Node:
        members, signs = [self._set()], []
        while sign := self.accept(*_RELATIONS):
            signs.append(sign)
            members.append(self._set())
        node = Node("relation", tuple(members), tuple(signs)) if signs else members[0]
        if (modulus := self._modulus()) is not None:
            return _congruence(node, modulus)
        return self._ratio(node) if self.next() == ":" or self._is_to() else node

    def _modulus(self) -> Node | None:
        r"""Read the modulus of a congruence: \pmod 7, \pmod{7}, (mod 7)."""
        if self.accept(r"\pmod"):
            return self.argument()
        if self.next() == "(" and self.word(1) in ("mod", r"\bmod", r"\mod"):
            self.at += 2
            modulus = self.sum()
            self.take(")")
            return modulus
        return None

    def _is_to(self) -> bool:
        return self.kind() == "word" and self.next().removeprefix(UPRIGHT) == "to"

    def _ratio(self, first: Node) -> Node:
        name = first if first.head == "relation" else None
        terms = [first.parts[-1] if name else first]
        while self.accept(":", "to", UPRIGHT + "to"):
            terms.append(self.sum())
        named = self.accept("=")
        node = Node("ratio", tuple(terms))
        if named:
            return Node("relation", (node, self._item()), ("=",))
        return Node("relation", (*name.parts[:-1], node), name.leaf) if name else node

    def _set(self) -> Node:
        if sign := self.accept(r"\le", r"\ge", "<", ">", r"\ne"):
            return Node("relation", (symbol(""), self.sum()), (sign,))
        node = self.stacked()
        while self.next() in _SET_OPERATORS or self._is_union_letter():
            operator = self.take()
            head = _SET_OPERATORS.get(operator) or _SET_WORDS[operator]
            node = Node(head, (node, self.sum()))
        return node

    def _is_union_letter(self) -> bool:
        return self.next() in _SET_WORDS and self.next(1) in ("(", "[", "]", r"\{")

    def atom(self) -> Node:
        """Read matrices, empty sets and sets of numbers, besides what an expression has."""
        if environment := _ENVIRONMENT.fullmatch(self.next()):
            return self._matrix(environment[1])
        if self.accept(_CASES[0]):
            return self._cases()
        if self.accept(r"\emptyset"):
            return EMPTY
        if self.next().startswith(r"\mathbb"):
            name = self.take().removeprefix(r"\mathbb")
            return (name in _OPERATORS and self.called(name)) or self._numbers(name)
        return super().atom()

    def group(self) -> Node:
        """Read a bracketed expression, or the tuple, set, interval or list that it is."""
        if self.next() == "{":
            return super().group()
        bars, self._bars = self._bars, 0
        in_call, self._in_call = self._in_call, 0
        in_list = self.at > 0 and self.tokens[self.at - 1].text in ("[", ",")
        opening = self.take(*_OPENING)
        node = self._builder() if opening == r"\{" else None
        node = node or self.list(end=_CLOSING)
        closing = self.take(*_CLOSING, "[")
        self._bars, self._in_call = bars, in_call
        if node.head == "builder":
            return node
        if in_list and opening == "[" and node.head != "list" and self.next() in (",", "]"):
            return Node("bracket", (node,), "[]")
        return _bracketed(opening, closing, node)

    def _builder(self) -> Node | None:
        r"""Read a set by its condition: \{x \mid x > 2\}, \{x : x > 2\}."""
        start = self.at
        if self.kind() != "word" or len(self.next()) != 1:
            return None
        variable, domain = symbol(self.take()), ()
        if self.accept(r"\in"):
            domain = (self.atom(),)
        if not self.accept("|", ":"):
            self.at = start
            return None
        return Node("builder", (variable, self.list(end=_CLOSING), *domain))

    def _matrix(self, kind: str) -> Node:
        self.take()
        if kind == "Vmatrix":
            raise RefusedError("a norm")
        rows, cells = [], [self._cell()]
        while True:
            separator = self.take()
            if separator == "&":
                cells.append(self._cell())
                continue
            rows.append(Node("row", tuple(cells)))
            if _ENDED.fullmatch(separator) or _ENDED.fullmatch(self.next()):
                break
            if separator != "row":
                raise UnreadError("matrix")
            cells = [self._cell()]
        if not _ENDED.fullmatch(separator):
            self.take()
        return Node("matrix", tuple(rows), "determinant" if kind == "vmatrix" else "")

    def _cell(self) -> Node:
        return self.sum()

    def _numbers(self, name: str) -> Node:
        r"""Read what may follow the name of a set of numbers: \mathbb{R}^+, \mathbb{Z}_{>0}."""
        start = self.at
        if self.accept("^", "_"):
            braced = self.accept("{")
            positive = self.accept("+") or (self.accept(">") and self.accept("0"))
            if positive and (not braced or self.accept("}")):
                return POSITIVE if name == "R" else Node("numbers", leaf=name + "+")
        self.at = start
        return Node("numbers", leaf=name)

    def _cases(self) -> Node:
        """Read the rows of cases: values with their conditions, or a system of relations."""
        self.tokens = [
            token
            for token, after in zip(self.tokens, [*self.tokens[1:], None], strict=True)
            if token.text != "." or not after or after.text not in (_CASES[1], r"\\")
        ]
        rows = list[Node]()
        while not self.accept(_CASES[1]):
            rows.append(self._case())
            if not self.accept("row") and self.next() != _CASES[1]:
                raise UnreadError("cases")
        if rows and all(row.head == "case" for row in rows):
            return Node("cases", tuple(rows))
        if len(rows) < 2 or any(row.head != "relation" for row in rows):
            raise UnreadError("cases without conditions")
        return Node("list", tuple(rows), ("and",) * (len(rows) - 1))

    def _case(self) -> Node:
        value = self._relation()
        comma = self.accept(",", ";")
        if not self.accept("&") and self.word() != "if" and (not comma or self._ends_row()):
            return value
        self.accept_words("if", "for", "when", "where")
        return Node("case", (value, self._condition()))

    def _ends_row(self) -> bool:
        return self.next() in ("row", _CASES[1])

    def _condition(self) -> Node:
        """Read a condition, or its words: `n odd`, `otherwise`."""
        start, scanned = self.at, list(self.tokens)
        try:
            condition = self.list(end=("row", _CASES[1]))
        except UnreadError:
            condition = None
        if condition and self._ends_row():
            return condition
        self.at, self.tokens = start, scanned
        said = list[str]()
        while not self._ends_row():
            said.append(self.take().removeprefix(UPRIGHT).lower())
        said = [word for word in said if word not in ("is", ",")]
        return Node("words", leaf=" ".join("otherwise" if w == "else" else w for w in said))


_ENDED = re.compile(r"\\end\{(?:\w*matrix|array)\*?\}")


def _congruences(items: list[Node]) -> list[Node]:
    r"""Return x \equiv 1, 4 \pmod 5 as a congruence for each residue."""
    *before, last = items
    if any(item.head == "relation" and item.leaf != (r"\equiv",) for item in before[:1]) or any(
        item.head in ("relation", "congruence") for item in before[1:]
    ):
        return items
    read = [*(_congruence(item, last.parts[1]) for item in before), last]
    name = read[0].parts[2:]
    return [Node("congruence", item.parts[:2] + name) for item in read]


def _congruence(node: Node, modulus: Node) -> Node:
    if node.head != "relation":
        return Node("congruence", (node, modulus))
    if node.leaf not in ((r"\equiv",), ("=",)):
        raise UnreadError("no congruence")
    name, residue = node.parts
    return Node("congruence", (residue, modulus, name))


def _bracketed(opening: str, closing: str, node: Node) -> Node:
    members = node.parts if node.head == "list" else (node,)
    round_pair = (opening, closing) == ("(", ")")
    square_pair = (opening, closing) == ("[", "]")
    if node.head != "list" and (round_pair or (square_pair and node.head != "bracket")):
        return node
    if round_pair and node.head == "list" and set(node.leaf or ()) <= CONNECTORS and members:
        return node
    if (opening, closing) == (r"\langle", r"\rangle"):
        opening, closing = "(", ")"
    if node.head != "list" and (opening, closing) in (("(", "]"), ("[", ")")):
        raise UnreadError("brackets that differ around one value")
    if opening == r"\{" and closing != r"\}":
        raise UnreadError(closing)
    return Node("bracket", members, opening + closing)


def _program_rows(rows: re.Match[str]) -> str:
    cells = ["[" + ", ".join(row.replace(",", " ").split()) + "]" for row in rows[1].split(";")]
    return "[" + ", ".join(cells) + "]"
