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


class SymbolReader(UnitReader):
    """Reads names."""

    def arguments(self) -> tuple[Node, ...]:
        """Read the arguments of a function in parentheses; expressions extend this."""
        raise NotImplementedError

    def named_symbol(self) -> Node:
        name = self.take().removeprefix("\\")
        if name in _DECORATIONS:
            return symbol(f"{_DECORATIONS[name]} {self._decorated()}")
        if name not in GREEK and not name.startswith(("mathbb", "mathcal")):
            raise UnreadError(name)
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
        if self.next() == "_":
            name += "_" + self._raw_group() if self.accept("_") else ""
        return self._applied(name) or symbol(name)

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

    def _applied(self, name: str) -> Node | None:
        """Read f(x) as the value of an unknown function, and A(n) too, but A(n+1) as a product."""
        is_function = name[0] in "fgh" or (name[0].isupper() and self._is_lone_argument())
        if self.next() != "(" or not is_function:
            return None
        return Node("applied", self.arguments(), name)

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
