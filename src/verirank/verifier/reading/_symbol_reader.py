"""Symbols: letters, Greek letters, names with subscripts and primes, unknown functions."""

from __future__ import annotations

from verirank.verifier.reading._characters import UPRIGHT
from verirank.verifier.reading._scanner import Token
from verirank.verifier.reading._tree import Node, UnreadError, constant, symbol
from verirank.verifier.reading._unit_reader import UnitReader
from verirank.verifier.reading._vocabulary import CONNECTORS, GREEK, PLAIN_WORDS

_DECORATIONS = {
    "vec": "vector", "overrightarrow": "vector", "overline": "bar", "bar": "bar",
    "hat": "hat", "widehat": "hat", "tilde": "tilde", "angle": "angle", "triangle": "triangle",
}  # fmt: skip


_FUNCTIONS = "fgh"
"""Letters that name functions wherever an argument follows."""
_BINDS_ALONE = ("^", r"\sqrt", r"\frac")
r"""What takes a command alone as its argument: e^\lambda(x) is a product."""
_NOT_OF_ONE_TERM = frozenset(("+", "-", ",", ";", "=", "|", "<", ">", r"\pm", r"\mp"))


class SymbolReader(UnitReader):
    """Reads names."""

    def __init__(self, scanned: list[Token], *, tight_units: bool = False) -> None:
        super().__init__(scanned, tight_units=tight_units)
        self._in_call = 0

    def arguments(self) -> tuple[Node, ...]:
        """Read the arguments of a function in parentheses; expressions extend this."""
        raise NotImplementedError

    def named_symbol(self) -> Node:
        before = self._before()
        name = self.take().removeprefix("\\")
        if name in _DECORATIONS:
            decorated = f"{_DECORATIONS[name]} {self._decorated()}"
            is_function = _DECORATIONS[name] not in ("angle", "triangle")
            return (is_function and self.called(decorated, before)) or symbol(decorated)
        is_letter = name in GREEK or (name == "Pi" and self.next() != "_")
        if not is_letter and not name.startswith(("mathbb", "mathcal")):
            raise UnreadError(name)
        if before in _BINDS_ALONE and self.next() == "(":
            return symbol(name)
        return self._subscripted(name)

    def _decorated(self) -> str:
        r"""Return the letters under an arrow or a bar, or after \angle."""
        content = self._raw_group() if self.next() == "{" else self.take().removeprefix(UPRIGHT)
        if not content[:1].isalpha() or not content.replace("_", "").isalnum():
            raise UnreadError(content)
        return content

    def letters(self) -> Node:
        """Read a word as a symbol, a product of symbols or the name of a constant."""
        upright = self.next().startswith(UPRIGHT)
        word = self.word()
        if len(word) == 1:
            self.take()
            if not word.isascii():
                raise UnreadError(word)
            named = self.next() in ("_", "'")
            return constant(word) if word in "ie" and not named else self._subscripted(word)
        if word in GREEK and word != "xi" and not upright:
            self.take()
            return self._subscripted(word)
        if upright or not word.isascii() or word in PLAIN_WORDS or word in CONNECTORS:
            raise UnreadError(word)
        if word.isupper():
            self.take()
            return self._subscripted(word)
        if len(word) > 3:
            raise UnreadError(word)
        self.tokens[self.at : self.at + 1] = [Token("word", letter) for letter in word]
        return self.letters()

    def _subscripted(self, name: str) -> Node:
        before = self.tokens[self.at - 2].text if self.at > 1 else ""
        self._subscript_first()
        if self.accept("_"):
            name += "_" + self._raw_group()
        while self.accept("'"):
            name += "'"
        if (self.next(), self.next(1)) == ("^", "'") or (
            (self.next(), self.next(1), self.next(2), self.next(3)) == ("^", "{", "'", "}")
        ):
            self.at += 2 if self.next(1) == "'" else 4
            name += "'"
        name += self._order_of_derivative()
        if self.next() == "_":
            name += "_" + self._raw_group() if self.accept("_") else ""
        return self.called(name, before) or symbol(name)

    def _before(self) -> str:
        """Return the text of the token before the next."""
        return self.tokens[self.at - 1].text if self.at else ""

    def _order_of_derivative(self) -> str:
        """Read the order of a derivative in parentheses as that many primes: f^{(3)}."""
        order = self.next(3)
        texts = [self.next(ahead) for ahead in (0, 1, 2, 4, 5)]
        is_order = order.isdigit() or (self.kind(3) == "word" and len(order) == 1)
        if texts != ["^", "{", "(", ")", "}"] or not is_order:
            return ""
        self.at += 6
        return "'" * int(order) if order.isdigit() and len(order) == 1 else f"^({order})"

    def _subscript_first(self) -> None:
        """Move a subscript that is written after an exponent before it: v^2_0 is v_0^2."""
        if self.next() != "^":
            return
        middle = self._end_of_script(self.at)
        if middle < len(self.tokens) and self.tokens[middle].text == "_":
            end = self._end_of_script(middle)
            script = self.tokens[self.at : middle]
            self.tokens[self.at : end] = self.tokens[middle:end] + script

    def _end_of_script(self, at: int) -> int:
        """Return the position after the exponent or subscript whose sign stands at a position."""
        depth, at = 0, at + 1
        while at < len(self.tokens):
            depth += {"{": 1, "}": -1}.get(self.tokens[at].text, 0)
            at += 1
            if not depth:
                break
        return at

    def called(self, name: str, before: str = "") -> Node | None:
        r"""Read f(x) as the value of an unknown function, and so A(n).

        \phi(2n), A(n+1) and E[X] are `called`: values of a function, or products.

        Args:
            name: the name that was read.
            before: the text of the token before the name.
        """
        inside = self._inside()
        letter = name.partition("_")[0].rstrip("'")
        is_capital = len(letter) == 1 and letter.isupper()
        if self.next() == "(" and (
            letter in _FUNCTIONS or (is_capital and self._is_lone_argument())
        ):
            return Node("applied", self.arguments(), name)
        is_name = letter in GREEK or " " in name or "'" in name or name.startswith("mathcal")
        is_called = is_capital or (is_name and self.next() == "(")
        if not is_called or not inside or not {",", ";", "|"}.isdisjoint(inside):
            return None
        if self._in_call and not any(text.removeprefix(UPRIGHT).isalpha() for text in inside):
            return None
        return Node("applied" if before == "/" else "called", self.arguments(), name)

    def called_pi(self, before: str) -> Node | None:
        r"""Read \pi(2x), which counts primes or is a product; \pi(3) and \pi(r+1) are products."""
        inside = self._inside() if self.next() == "(" else []
        is_of_one_term = _NOT_OF_ONE_TERM.isdisjoint(inside)
        has_letter = any(len(text) == 1 and text.isalpha() for text in inside)
        if self._in_call or before in (*_BINDS_ALONE, "/") or not (is_of_one_term and has_letter):
            return None
        return Node("called", self.arguments(), "pi")

    def _inside(self) -> list[str]:
        """Return the texts of the tokens in the parentheses or brackets that come next, if any."""
        pair = {"(": ")", "[": "]"}.get(self.next(), "")
        depth, texts = 0, list[str]()
        for token in self.tokens[self.at :] if pair else ():
            depth += {self.next(): 1, pair: -1}.get(token.text, 0)
            if not depth:
                return texts[1:]
            texts.append(token.text)
        return []

    def _is_lone_argument(self) -> bool:
        return self.kind(1) == "word" and len(self.next(1)) == 1 and self.next(2) == ")"

    def _raw_group(self) -> str:
        if not self.accept("{"):
            token = self.take()
            if token.isdigit() and len(token) > 1:
                raise UnreadError("subscript")
            return token.removeprefix(UPRIGHT)
        depth, content = 1, ""
        while depth:
            token = self.take()
            depth += {"{": 1, "}": -1}.get(token, 0)
            content += token.removeprefix(UPRIGHT) if depth else ""
        return content.replace("{", "").replace("}", "")
