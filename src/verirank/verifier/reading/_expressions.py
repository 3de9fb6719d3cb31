"""Tokens to trees: sums, products, powers, functions and what they are made of."""

from __future__ import annotations

import re
from fractions import Fraction

from verirank.verifier.reading._characters import UPRIGHT
from verirank.verifier.reading._scanner import Token
from verirank.verifier.reading._symbol_reader import SymbolReader
from verirank.verifier.reading._tree import (
    Node,
    RefusedError,
    UnreadError,
    constant,
    number,
    symbol,
    symbols,
)
from verirank.verifier.reading._units import CURRENCIES, CURRENCY_CODES, unit_named
from verirank.verifier.reading._vocabulary import (
    CONNECTORS,
    CONSTANTS,
    FUNCTIONS,
    OF_SEVERAL,
    PRODUCT_ENDS,
    canonical_function,
)

_MAX_DEPTH = 24
_BARS = {r"\lfloor": (r"\rfloor", "floor"), r"\lceil": (r"\rceil", "ceil"), "|": ("|", "abs")}
_AFTER_REVERSED = ("", r"\cup", r"\cap", r"\setminus", ",", ";")
_REPEATING = re.compile(r"(\d*)\.(\d*?)\\\w+\s*\{?(\d+)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?")


class ExpressionReader(SymbolReader):
    """Recursive descent over tokens."""

    def __init__(self, scanned: list[Token], *, tight_units: bool = False) -> None:
        super().__init__(scanned, tight_units=tight_units)
        self._depth = 0
        self._bars = 0

    def sum(self) -> Node:
        r"""Read terms joined by + - \pm \mp, perhaps modulo another sum."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UnreadError("too deep")
        node = self._term()
        while operator := self.accept("+", "-", r"\pm", r"\mp"):
            if operator in ("+", "-"):
                term = self._signed() if self.next() in ("+", "-") else self._product()
                node = Node("+", (node, term if operator == "+" else Node("-", (term,))))
            else:
                node = Node("+-" if operator == r"\pm" else "-+", (node, self._product()))
        if self.accept(r"\bmod", r"\mod", "mod", UPRIGHT + "mod"):
            if node.head == "/":
                raise RefusedError("a fraction, or an inverse")
            node = Node("call", (node, self._product()), "mod")
        self._depth -= 1
        return node

    def stacked(self) -> Node:
        r"""Read a sum, or two with \over or \choose between them."""
        node = self.sum()
        if command := self.accept(r"\over", r"\choose"):
            pair = (node, self.sum())
            return Node("/", pair) if command == r"\over" else Node("call", pair, "binomial")
        return node

    def _term(self) -> Node:
        if operator := self.accept(r"\pm", r"\mp"):
            return Node("+-" if operator == r"\pm" else "-+", (self._product(),))
        return self._signed()

    def _signed(self) -> Node:
        negative = False
        while operator := self.accept("+", "-"):
            negative ^= operator == "-"
        if self.next() in CURRENCIES and negative:
            return Node("-", (self._product(),))
        product = self._product()
        return Node("-", (product,)) if negative else product

    def _product(self) -> Node:
        currency = self.accept(*CURRENCIES) or self._currency_word()
        if currency and self.accept("-"):
            return Node("-", (Node("quantity", (self.power(),), unit_named(currency)),))
        node, divided = self._mixed() or self.power(), False
        while not self._ends_product() and not self._ends_argument(node):
            if self.accept("*"):
                node = Node("*", (node, self._signed_power()))
            elif self.is_per_unit(node):
                united = self.with_divisor(node)
                if currency:
                    return Node("quantity", united.parts, unit_named(currency) * united.leaf)
                return united
            elif self.accept("/"):
                node, divided = Node("/", (node, self._signed_power())), True
            elif self._ends_here():
                break
            elif (united := self.with_unit(node)) is not None:
                node = united
                break
            elif divided or (self.kind() in ("number", "repeating") and not self._is_parted()):
                raise RefusedError("ambiguous product")
            else:
                node = Node("*", (node, self._factor()))
        return Node("quantity", (node,), unit_named(currency)) if currency else node

    def _factor(self) -> Node:
        r"""Read a factor without a sign; \ln 2 (3) may end before its bracket and is refused."""
        is_group = self._in_call > 0 and self.next() == "("
        factor = self.power()
        if is_group and not symbols(factor):
            raise RefusedError("a factor of an argument, or of a function")
        return factor

    def _ends_argument(self, node: Node) -> bool:
        r"""Tell whether an argument without brackets ends: `\ln 8/\ln 2`, but not `\sin\pi/6`."""
        if not self._in_call or self.next() not in ("*", "/"):
            return False
        is_angle = any(part == constant("pi") for part in node.walk())
        return self.next() == "*" or not is_angle or self.kind(1) != "number"

    def _is_parted(self) -> bool:
        """Tell whether a number is a factor for itself: `i2`, `4!4!`."""
        before = self.tokens[self.at - 1].text
        return before == "!" or (before == "i" and not self.tokens[self.at].spaced)

    def _currency_word(self) -> str:
        is_code = self.kind() == "word" and self.word() in CURRENCY_CODES
        return self.take().removeprefix(UPRIGHT) if is_code and self.kind(1) == "number" else ""

    def _ends_product(self) -> bool:
        if self.next() == "|":
            return self._bars > 0
        if self.next() == "[":
            return self.next(1) in _AFTER_REVERSED
        if self.next() == "(" and self.word(1) == "mod":
            return True
        if self.next() == "U":
            return self.next(1) in ("(", "[", "]", r"\{")
        return self.next() in PRODUCT_ENDS or self.next().startswith(r"\end{")

    def _ends_here(self) -> bool:
        word = self.word()
        is_connector = self.kind() == "word" and (word in CONNECTORS or word in ("mod", "to", "if"))
        return is_connector or (self._in_call > 0 and self._starts_function())

    def _starts_function(self) -> bool:
        return self.word().removeprefix("\\") in FUNCTIONS

    def _signed_power(self) -> Node:
        return Node("-", (self.power(),)) if self.accept("-") else self.power()

    def _mixed(self) -> Node | None:
        r"""Read an integer before a proper fraction of integers: 2\frac{3}{4}, 2 3/4."""
        if self.kind() != "number" or not self.next().isdigit():
            return None
        if self.next(1) == r"\frac" and not self.is_unit(1):
            start, whole = self.at, number(int(self.take()))
            part = self.power()
            top, bottom = part.parts
            if top.head != "number" or bottom.head != "number":
                self.at = start
                return None
        elif self.kind(1) == self.kind(3) == "number" and self.next(2) == "/":
            whole, top = number(int(self.take())), _number(self.take())
            self.take("/")
            bottom = _number(self.take())
        else:
            return None
        if not 0 < top.leaf < bottom.leaf or not self._after_mixed():
            raise UnreadError("no mixed number")
        return Node("+", (whole, Node("/", (top, bottom))))

    def _after_mixed(self) -> bool:
        return (
            self.next() in PRODUCT_ENDS or self.kind() == "word" or self.next() in ("%", "^", "$")
        )

    def power(self) -> Node:
        """Read an atom with its factorials and exponents."""
        node = self.atom()
        while self.accept("!"):
            node = Node("call", (node,), "factorial")
            if self.next() == "!":
                raise RefusedError("double factorial")
        if self.next() == "^" and self.is_ordinal_ending():
            raise RefusedError("an ordinal")
        if self.next() == "^" and not self.is_degree():
            self.take()
            node = Node("^", (node, self._exponent()))
            if self.next() == "!":
                raise RefusedError("the factorial of an exponent, or of a power")
            if self.next() == "^":
                raise UnreadError("tower of powers")
        if self._in_call and self.is_degree():
            self.take_degree()
            node = Node("*", (node, constant("degree")))
        return node

    def _exponent(self) -> Node:
        return Node("-", (self.atom(),)) if self.accept("-") else self.atom()

    def atom(self) -> Node:
        """Read what no operator parts: a number, a symbol, a group, a function of something."""
        kind, text = self.kind(), self.word()
        if kind in ("number", "repeating"):
            if self.next(1) == "_":
                raise RefusedError("base")
            return _number(self.take())
        if text in ("(", "{", "[", r"\{", "]", r"\langle"):
            return self.group()
        if text in _BARS:
            return self._bar(*_BARS[text])
        if text.removeprefix("\\") in FUNCTIONS:
            self.take()
            return self._function(text.removeprefix("\\"))
        if text in CONSTANTS:
            before, name = self.tokens[self.at - 1].text if self.at else "", self.take()
            return (name == r"\pi" and self.called_pi(before)) or constant(CONSTANTS[text])
        if text in (r"\frac", r"\binom"):
            self.take()
            return self._two_arguments(text)
        if text in (r"\sum", r"\prod"):
            return self._repeated("sum" if self.take() == r"\sum" else "product")
        if kind == "command":
            return self.named_symbol()
        if kind == "word":
            return self.letters()
        raise UnreadError(text)

    def group(self) -> Node:
        """Read a bracketed whole; statements extend this to tuples, sets and intervals."""
        opening = self.take("(", "{", "[")
        bars, self._bars = self._bars, 0
        in_call, self._in_call = self._in_call, 0
        node = self.stacked()
        self.take({"(": ")", "{": "}", "[": "]"}[opening])
        self._bars, self._in_call = bars, in_call
        return node

    def argument(self) -> Node:
        r"""Read a command's argument: a group, or one digit or letter as in \frac12."""
        token = self.next()
        if token.isdigit() and len(token) > 1:
            spaced = self.tokens[self.at].spaced
            digits = [Token("number", digit, spaced and not i) for i, digit in enumerate(token)]
            self.tokens[self.at : self.at + 1] = digits
        if self.kind() == "word" and len(token) > 1 and not token.startswith(UPRIGHT):
            raise UnreadError(token)
        return self.group() if token == "{" else self.atom()

    def _two_arguments(self, command: str) -> Node:
        in_call, self._in_call = self._in_call, 0
        pair = (self.argument(), self.argument())
        self._in_call = in_call
        if all(_starts_with_d(side) for side in pair):
            return Node("derivative", pair)
        return Node("/", pair) if command == r"\frac" else Node("call", pair, "binomial")

    def _repeated(self, head: str) -> Node:
        r"""Read a sum or product from a first to a last integer: \sum_{k=1}^n a_k."""
        self.take("_")
        self.take("{")
        letter = self.take()
        if self.kind(-1) != "word" or len(letter) > 1:
            raise UnreadError("a sum over no letter")
        self.take("=")
        low = self.sum()
        self.take("}")
        self.take("^")
        high, in_call, self._in_call = self.argument(), self._in_call, 0
        term, self._in_call = self._product(), in_call
        return Node(head, (symbol(letter), low, high, _with_index(term, letter)))

    def _bar(self, closing: str, name: str) -> Node:
        self.take()
        self._bars += closing == "|"
        in_call, self._in_call = self._in_call, 0
        node = Node("call", (self.sum(),), name)
        self._bars -= closing == "|"
        self._in_call = in_call
        self.take(closing)
        return node

    def _function(self, name: str) -> Node:
        if name in ("sqrt", "cbrt"):
            return self._root(3 if name == "cbrt" else 2)
        base = self._base_of_logarithm() if name == "log" else None
        exponent = self._exponent_of_function()
        if name in OF_SEVERAL:
            node = Node("call", self.arguments(), name)
        else:
            arguments = (self._function_argument(),)
            node = Node("call", arguments + ((base,) if base else ()), canonical_function(name))
        if exponent == Node("-", (number(1),)):
            return Node("call", node.parts, "arc" + name)
        return Node("^", (node, exponent)) if exponent else node

    def _base_of_logarithm(self) -> Node | None:
        r"""Read a logarithm's base: \log_2 8, log2(8); \log 3(8) may have one and is refused."""
        if self.accept("_"):
            return self.argument()
        if self.kind() != "number" or self.next(1) != "(":
            return None
        named = self.tokens[self.at - 1].kind == "word" and not self.tokens[self.at].spaced
        if not named or self.next() not in ("2", "10"):
            raise RefusedError("a factor, or the base of a logarithm")
        return number(int(self.take()))

    def _exponent_of_function(self) -> Node | None:
        if not self.accept("^"):
            return None
        if self.accept("{"):
            exponent = self.sum()
            self.take("}")
            return exponent
        return self._exponent()

    def _function_argument(self) -> Node:
        if self.next() in ("(", "{", "["):
            return self.group() if not self._in_call else self._call_group()
        self._in_call += 1
        negative = bool(self.accept("-"))
        node = self._product()
        self._in_call -= 1
        return Node("-", (node,)) if negative else node

    def _call_group(self) -> Node:
        in_call, self._in_call = self._in_call, 0
        node = self.group()
        self._in_call = in_call
        return node

    def arguments(self) -> tuple[Node, ...]:
        group = self.group()
        return group.parts if group.head == "bracket" else (group,)

    def _root(self, index: int) -> Node:
        degree = number(index)
        if self.accept("["):
            degree = self.sum()
            self.take("]")
        if self.kind() == "number" and len(self.next()) > 1:
            raise UnreadError("root of the first digit, or of all")
        in_call, self._in_call = self._in_call, 0
        radicand = self.argument()
        self._in_call = in_call
        return Node("root", (radicand, degree))


def _with_index(term: Node, letter: str) -> Node:
    """Return a term in which i, where a sum goes over it, is no imaginary unit."""
    if term == constant(letter):
        return symbol(letter)
    return Node(term.head, tuple(_with_index(part, letter) for part in term.parts), term.leaf)


def _starts_with_d(node: Node) -> bool:
    while node.head in ("*", "^"):
        node = node.parts[0]
    return node.head == "symbol" and node.leaf == "d"


def _number(text: str) -> Node:
    if repeating := _REPEATING.fullmatch(text):
        whole, fixed, first, middle, last = repeating.groups()
        cycle = first + (middle or "") + (last or "")
        scale = 10 ** len(fixed)
        tail = Fraction(int(cycle), scale * (10 ** len(cycle) - 1))
        return number(Fraction(int(whole + fixed or "0"), scale) + tail)
    return number(Fraction(text))
