"""A position among tokens, which every reader moves forward."""

from __future__ import annotations

from verirank.verifier.reading._characters import UPRIGHT
from verirank.verifier.reading._scanner import Token
from verirank.verifier.reading._tree import UnreadError


class TokenReader:
    """Tokens and a position among them; every method consumes what it reads."""

    def __init__(self, scanned: list[Token], *, tight_units: bool = False) -> None:
        self.tokens = scanned
        self.at = 0
        self.tight_units = tight_units

    def next(self, ahead: int = 0) -> str:
        """Return the text of a coming token, "" after the last; a row's end is `row`."""
        at = self.at + ahead
        if at >= len(self.tokens):
            return ""
        token = self.tokens[at]
        return "row" if token.kind == "row" else token.text

    def word(self, ahead: int = 0) -> str:
        """Return the text of a coming token without the mark of upright words."""
        return self.next(ahead).removeprefix(UPRIGHT)

    def kind(self, ahead: int = 0) -> str:
        """Return the kind of a coming token, "" after the last."""
        at = self.at + ahead
        return self.tokens[at].kind if at < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        """Consume a token, which must be one of those expected where any are given."""
        text = self.next()
        if not text or (expected and text not in expected):
            raise UnreadError(text)
        self.at += 1
        return text

    def accept(self, *expected: str) -> str:
        """Consume the next token if it is one of those expected, else return ""."""
        return self.take() if self.next() in expected else ""

    def accept_words(self, *words: str) -> bool:
        """Consume the next token if it is one of these words."""
        accepted = self.kind() == "word" and self.word() in words
        self.at += accepted
        return accepted

    def is_degree(self) -> bool:
        """Tell whether a degree sign comes next."""
        return self.next() == "^" and (
            self.next(1) == r"\circ" or (self.next(1), self.next(2)) == ("{", r"\circ")
        )

    def take_degree(self) -> None:
        """Consume a degree sign."""
        self.take("^")
        if self.accept("{"):
            self.take(r"\circ")
            self.take("}")
        else:
            self.take(r"\circ")
