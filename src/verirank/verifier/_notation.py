"""Notation without meaning, taken off or written in one way before answers are compared."""

from __future__ import annotations

import re

_SPACES = (r"\,", r"\;", r"\:", r"\!", r"\quad", r"\qquad", r"\displaystyle", "~")
_LAYERS = 8
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_SCIENTIFIC = re.compile(r"(?<![\w.\\}])(\d+\.?\d*|\.\d+)[eE]([+-]?\d{1,4})(?!\w|\.\d)", re.ASCII)
_POINT_BEFORE_OPERATOR = re.compile(r"(?<=\d)\.(?=\s*[/*+\-)}])", re.ASCII)
_NUMPY = re.compile(r"(?<![\w.])(?:np|numpy)\.(?:arc(sin|cos|tan)|(sin|cos|tan|exp))(?=\s*\()")
_SUBSCRIPTED_E = re.compile(r"(?<![A-Za-z\\])[Ee](?=\s*_)")


def bare(text: str) -> str:
    """Return a text without spaces and redundant braces around the whole of it."""
    for _ in range(_LAYERS):
        text = _without_outer_spaces(text)
        if not _is_one_group(text):
            break
        text = text[1:-1]
    return text


def rewritten(text: str) -> str:
    """Return a text in the notation that math-verify reads.

    It takes 4.5e33 for a product with Euler's number, a point before an operator for a full stop,
    and E_1 for Euler's number with a subscript, each of which it then misreads or gives up on.
    """
    text = _SCIENTIFIC.sub(lambda n: rf"{n[1]} \cdot 10^{{{int(n[2])}}}", text)
    text = _POINT_BEFORE_OPERATOR.sub("", text)
    text = _NUMPY.sub(lambda n: rf"\arc{n[1]}" if n[1] else rf"\{n[2]}", text)
    return _SUBSCRIPTED_E.sub(r"\\mathcal{E}", text)


def _without_outer_spaces(text: str) -> str:
    before = None
    while text != before:
        before, text = text, text.strip()
        for space in _SPACES:
            text = text.removeprefix(space).removesuffix(space)
        if text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1]
    return text


def _is_one_group(text: str) -> bool:
    """Tell whether the brace that opens a text closes at its end."""
    if not (text.startswith("{") and text.endswith("}")):
        return False
    return closing_brace(text, 1) == len(text) - 1


def closing_brace(text: str, start: int) -> int | None:
    """Return the place of the brace that closes a group opened just before `start`, if any does."""
    depth = 1
    for token in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.start()
    return None
