"""Verdicts that need no parser: the same text, two plain numbers."""

from __future__ import annotations

import re
from decimal import Decimal

from verirank.verifier._notation import bare

EQUALITY = "verirank.verifier._equality:compare"
"""The comparison that workers make where nothing here decides, named as every comparison is."""

MAX_CHARACTERS = 20_000
"""A longer prediction is wrong unread: parsing time grows with length, honest answers do not."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), (r"\boxed{", "}"))


def compare_directly(gold: str, prediction: str) -> tuple[bool, str] | None:
    """Return a verdict with its reason where no mathematics is needed for it, else None."""
    gold, prediction = _unwrap(gold), _unwrap(prediction)
    if not gold:
        return False, "unparsable gold"
    if gold == prediction:
        return True, "exact"
    if _NUMBER.fullmatch(gold) and _NUMBER.fullmatch(prediction):
        equal = Decimal(gold) == Decimal(prediction)
        return equal, "numbers equal" if equal else "numbers differ"
    return None


def _unwrap(text: str) -> str:
    """Return a text without the delimiters, box, spaces or braces around the whole of it."""
    text = bare(text)
    for opening, closing in _WRAPPERS:
        inner = text.removeprefix(opening).removesuffix(closing)
        whole = len(text) == len(opening) + len(inner) + len(closing)
        if whole and not any(mark in inner for mark in "${}\\"):
            return _unwrap(inner)
    return text
