"""Integers written in a base."""

from __future__ import annotations

import re

from verirank.verifier.reading import UPRIGHT, plain_characters, without_fonts

_WORDS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
          "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"]  # fmt: skip
_IN_BASE = re.compile(
    r"(-?)\(?([0-9A-Z]+(?:\.[0-9A-Z]+)?)\)?_(?:(\d)|\{\(?(\d+)\)?\}|\{?([a-z]+)\}?)", re.ASCII
)
_SMALL_DIGITS = re.compile(r"\d[\da-f]*(?=\)?_)", re.ASCII)
_PROGRAM = re.compile(r"0([xXbBoO])([0-9A-Fa-f]+)", re.ASCII)
_SAID = re.compile(r"([0-9A-Z])\)?\s*\(?\s*(?:in\s+)?base[\s-]+(\d+|[a-z]+)\s*\)?\s*$", re.ASCII)
_PREFIXES = {"x": 16, "b": 2, "o": 8}


def in_base(text: str, *, letters: bool = False) -> tuple[str, int] | None:
    """Return the digits and the base of an integer such as 52_8, or None where it is no such.

    Args:
        text: a gold or an answer.
        letters: whether one or two letters alone may be digits, as in FF_{16}, and small ones.
    """
    if program := _PROGRAM.fullmatch(text.strip()):
        return program[2].upper().lstrip("0") or "0", _PREFIXES[program[1].lower()]
    text = without_fonts(plain_characters(text)).replace(UPRIGHT, "")
    text = _SAID.sub(r"\1_{\2}", text)
    text = "".join(text.split())
    if letters:
        text = _SMALL_DIGITS.sub(lambda digits: digits[0].upper(), text, count=1)
    match = _IN_BASE.fullmatch(text)
    if not match:
        return None
    sign, digits, *_, word = match.groups()
    if word and word not in _WORDS:
        return None
    base = _WORDS.index(word) + 2 if word else int(match[3] or match[4])
    has_digit = letters or bool(word) or any(digit.isdigit() for digit in digits) or len(digits) > 2
    is_valid = 2 <= base <= 36 and _valid(digits.replace(".", ""), base)
    return (sign + digits, base) if has_digit and is_valid else None


def _valid(digits: str, base: int) -> bool:
    return all(int(digit, 36) < base for digit in digits)
