"""Verdicts that need no parser: no answer, the same text, two plain numbers."""

from __future__ import annotations

import re
from decimal import Decimal

MAX_CHARACTERS = 20_000
"""A longer prediction is wrong unread: parsing time grows with length, honest answers do not."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), (r"\boxed{", "}"))


def compare_directly(gold: str, prediction: str | None) -> tuple[bool, str] | None:
    """Return a verdict with its reason where no mathematics is needed for it, else None."""
    if prediction is None or not prediction.strip():
        return False, "no answer"
    if len(prediction) > MAX_CHARACTERS:
        return False, "too long"
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
    """Return a text without the mathematical delimiters or box around the whole of it."""
    text = text.strip()
    for opening, closing in _WRAPPERS:
        inner = text.removeprefix(opening).removesuffix(closing)
        whole = len(text) == len(opening) + len(inner) + len(closing)
        if whole and not any(mark in inner for mark in "${}\\"):
            return _unwrap(inner)
    return text
