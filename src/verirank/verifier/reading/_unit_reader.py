"""Units and nouns after numbers."""

from __future__ import annotations

from fractions import Fraction

from verirank.verifier.reading._characters import UPRIGHT
from verirank.verifier.reading._tokens import TokenReader
from verirank.verifier.reading._tree import (
    Node,
    RefusedError,
    UnreadError,
    constant,
    number,
    symbols,
)
from verirank.verifier.reading._units import (
    CURRENCIES,
    FLUID_OUNCE,
    NONE,
    SCALES,
    Unit,
    counted,
    in_common,
    unit_named,
)
from verirank.verifier.reading._vocabulary import (
    ADJECTIVES,
    FUNCTIONS,
    GREEK,
    NO_UNITS,
    ORDINAL_ENDINGS,
    PRODUCT_ENDS,
    trails,
)

_PER_CENT = {("per", "cent"), ("pour", "cent"), ("por", "ciento"), ("por", "cento")}
_PERCENT = (
    *("percent", "pct", "percentage", "Prozent", "percento", "procent", "процент", "процента"),
    *("процентов", "퍼센트"),
)
_BEFORE_UNITS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}


class UnitReader(TokenReader):
    """Reads what a number is a number of."""

    def with_unit(self, node: Node) -> Node | None:
        """Read what a number is a number of, or None where no unit follows."""
        if self.is_ordinal_ending():
            raise RefusedError("an ordinal")
        if (self.word(), self.word(1)) in _PER_CENT:
            self.at += 1
            self.take()
            return Node("percent", (node,))
        if self.accept("%") or self.accept_words(*_PERCENT):
            return Node("percent", (node,))
        if self.is_degree():
            self.take_degree()
            if self.word() in ("C", "F") and self.kind() == "word":
                return Node("quantity", (node,), counted(f"degree {self.take()[-1]}"))
            return Node("*", (self._with_minutes(node), constant("degree")))
        if self.accept_words("degrees", "degree", "deg"):
            if self.accept_words("Celsius", "celsius", "C"):
                return Node("quantity", (node,), counted("degree C"))
            if self.accept_words("Fahrenheit", "fahrenheit", "F"):
                return Node("quantity", (node,), counted("degree F"))
            return Node("*", (node, constant("degree")))
        scaled = node
        while self.kind() == "word" and self.word() in SCALES:
            scaled = Node("*", (scaled, number(SCALES[self.take().removeprefix(UPRIGHT)])))
        if self.is_unit(0, scaled):
            return self._with_smaller(Node("quantity", (scaled,), self._unit()))
        return scaled if scaled is not node else None

    def _with_minutes(self, degrees: Node) -> Node:
        """Read the minutes and seconds of arc after degrees."""
        for mark, size in (("'", 60), ('"', 3600)):
            at = 2 if self.next(1) == "^" else 1
            if self.kind() == "number" and self.next(at) == mark:
                degrees = Node("+", (degrees, number(Fraction(self.take()) / size)))
                self.at += at
        return degrees

    def is_ordinal_ending(self) -> bool:
        """Tell whether the digits before are those of an ordinal: 7th, 7^{th}."""
        is_raised = self.next() == "^"
        at = (2 if self.next(1) == "{" else 1) if is_raised else 0
        if self.kind(at) != "word" or self.word(at) not in ORDINAL_ENDINGS:
            return False
        return is_raised or not self.tokens[self.at].spaced

    def _with_smaller(self, quantity: Node) -> Node:
        """Read `1 hour 30 minutes` as one quantity in the smaller unit."""
        start, unit = self.at, quantity.leaf
        if self.kind() != "number" or not unit.dimensions:
            return quantity
        rest = self.with_unit(number(Fraction(self.take())))
        common = in_common(unit, rest.leaf) if rest and rest.head == "quantity" else []
        if rest is None or not common:
            self.at = start
            return quantity
        (larger_unit, smaller_unit) = common[0]
        larger = Node("*", (quantity.parts[0], number(larger_unit.factor / smaller_unit.factor)))
        return Node("quantity", (Node("+", (larger, rest.parts[0])),), smaller_unit)

    def is_unit(self, ahead: int, of: Node | None = None) -> bool:
        """Tell whether the token there begins a unit or a noun, and no symbol."""
        token = self.next(ahead)
        if token == r"\frac":
            return self.next(ahead + 1) == "{" and self.is_unit(ahead + 2)
        if self.kind(ahead) != "word":
            return bool(token) and token in CURRENCIES
        word = token.removeprefix(UPRIGHT)
        if word == "min":
            return self.next(ahead + 1) not in ("(", "{", "_", r"\{")
        if word in NO_UNITS or word in FUNCTIONS or word in GREEK:
            return False
        if word in _BEFORE_UNITS or (word in ("fluid", "fl") and self.kind(ahead + 1) == "word"):
            return True
        is_adjective = word in ADJECTIVES and self.kind(ahead + 1) == "word"
        is_symbolic = of is not None and bool(symbols(of))
        if trails(word) and not (is_adjective or is_symbolic or unit_named(word)):
            raise RefusedError(word)
        if token != word or not word.isascii():
            return len(word) > 1 or not word.isascii() or unit_named(word) is not None
        if of is not None and symbols(of):
            return False
        if len(word) > 1:
            return unit_named(word) is not None or len(word) > 3
        return unit_named(word) is not None and self._is_lone_letter(of)

    def _is_lone_letter(self, of: Node | None) -> bool:
        """Tell whether a single letter after a number is a unit: `5 m`, but not `5m` or `5 m g`."""
        spaced = self.tokens[self.at].spaced or self.tight_units
        follows = self.next(1) in PRODUCT_ENDS or self.next(1) in ("/", "^", "*")
        follows = follows or self._is_inverse(1)
        return spaced and follows and (of is None or of.head in ("number", "+"))

    def _is_inverse(self, ahead: int) -> bool:
        """Tell whether a unit to a negative power stands there, as in `m s^{-2}`."""
        powers = [self.next(ahead + at) for at in (1, 2, 3)]
        return unit_named(self.word(ahead)) is not None and (
            powers[:2] == ["^", "-"] or powers == ["^", "{", "-"]
        )

    def is_per_unit(self, node: Node) -> bool:
        """Tell whether what divides a number without a unit is one: `6 /mol`, `$3 per pound`."""
        word = self.word(1)
        if symbols(node) or self.kind(1) != "word" or word == "cent":
            return False
        if word in FUNCTIONS and (word != "min" or self.next(2) == "("):
            return False
        if self.word() == "per":
            return True
        named = unit_named(word) is not None and (len(word) > 1 or self.next(1) != word)
        return self.next() == "/" and (named or (self.next(1) != word and len(word) > 1))

    def with_divisor(self, node: Node) -> Node:
        """Read a unit that starts with its divisor."""
        return Node("quantity", (node,), self._unit())

    def _unit(self) -> Unit:
        unit, power, sign, noun = NONE, 1, 1, ""
        while True:
            if self.accept("*"):
                continue
            if self.accept("/") or self.accept_words("per"):
                sign = -1
            elif sign < 0 and self.next() == "(" and self._is_divisor(1):
                self.take("(")
                unit = unit * self._unit() ** -1
                self.take(")")
            elif self.word() in ("fluid", "fl") and self.word(1).startswith(("ounce", "oz")):
                self.at += 2
                unit = unit * FLUID_OUNCE
            elif self.kind() == "word" and self.word() in _BEFORE_UNITS:
                power = _BEFORE_UNITS[self.take().removeprefix(UPRIGHT)]
                self.accept(".")
            elif self.next() == r"\frac" and self.is_unit(0):
                unit = unit * self._unit_fraction()
            elif self.is_unit(0) or (sign < 0 and self._is_divisor()):
                word = self.take().removeprefix(UPRIGHT)
                named = unit_named(word)
                if named is None and sign > 0 and self.next() not in ("^", "/"):
                    noun = word
                else:
                    named = counted(word) if named is None else named
                    unit = unit * named ** (sign * power * self._unit_power())
                power = 1
            else:
                break
        if (sign < 0 and self.tokens[self.at - 1].text in ("/", "per")) or power > 1:
            raise RefusedError("a unit is cut off")
        return unit * counted(noun) if noun and unit == NONE else unit

    def _is_divisor(self, ahead: int = 0) -> bool:
        return self.next(ahead).startswith(UPRIGHT) or unit_named(self.word(ahead)) is not None

    def _unit_fraction(self) -> Unit:
        self.take(r"\frac")
        pair = []
        for _ in range(2):
            self.take("{")
            pair.append(self._unit())
            self.take("}")
        return pair[0] * pair[1] ** -1

    def _unit_power(self) -> int:
        if not self.accept("^"):
            return 1
        braced = self.accept("{")
        negative = self.accept("-")
        power = self.take()
        if braced:
            self.take("}")
        if not power.isdigit() or len(power) > 1:
            raise UnreadError("power of a unit")
        return -int(power) if negative else int(power)
