"""Whether two answers are mathematically equal, by math-verify; runs inside a worker process."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from math_verify import parse, verify

Verdict = tuple[bool, str]
"""Whether the answer is right, and the reason in a few fixed words."""

_FONT = r"\\(?:math|text)(?:rm|it|bf|sf|normal)?"
_UPRIGHT_CONSTANT = re.compile(_FONT + r"\s*\{\s*([ei])\s*\}")
_FONT_ENDING_A_GROUP = re.compile(_FONT + r"\s*\{([^{}]*)\}\s*(?=\})")
_SYMBOL_AS_SUBSCRIPT = re.compile(r"_\{\s*\\(odot|oplus|otimes|star|ast|perp|parallel|dagger)\s*\}")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}")
_DELIMITERS = ("$", r"\boxed", r"\(", r"\[")


def compare(gold: str, prediction: str) -> Verdict:
    """Return whether a prediction states the gold answer.

    Text without mathematical delimiters is read as one expression; a prediction in which words
    follow words is also read as prose that holds an answer.
    """
    golds = _parse(_as_maths(gold))
    if not golds:
        return False, "unparsable gold"
    predictions = _parse(_as_maths(prediction))
    if _PROSE.search(prediction):
        predictions += _parse(prediction)
    if not predictions:
        return False, "unparsable answer"
    equal = any(_equal(a, b) for a in golds for b in predictions)
    return equal, "equal" if equal else "different"


def _as_maths(text: str) -> str:
    text = text.replace(r"\$", "")
    return text if any(mark in text for mark in _DELIMITERS) else f"${text}$"


@lru_cache(maxsize=256)
def _parse(text: str) -> tuple[Any, ...]:
    """Return the readings of a text: an expression, where there is one, and its plain string.

    Fonts are dropped where they carry no meaning, since math-verify takes a font command at the
    end for a unit and cuts it off together with the brace that follows. A reading that was cut
    within a group says nothing about the answer, so none is returned.
    """
    text = _UPRIGHT_CONSTANT.sub(r" \1", text)
    text = _FONT_ENDING_A_GROUP.sub(_drop_font_unless_unit, text)
    text = _SYMBOL_AS_SUBSCRIPT.sub(r"_{\1}", text)
    readings = parse(text, parsing_timeout=None, raise_on_error=True)  # type: ignore[arg-type]
    is_cut = any(isinstance(r, str) and r.count("{") != r.count("}") for r in readings)
    return () if is_cut else tuple(readings)


def _drop_font_unless_unit(font: re.Match[str]) -> str:
    """Return the bare letters, except at the end of a box, where they may be a unit."""
    depth, at = 1, font.start()
    while depth and at:
        at -= 1
        depth += {"}": 1, "{": -1}.get(font.string[at], 0)
    return font[0] if font.string[:at].endswith("\\boxed") else f" {font[1]}"


def _equal(gold: Any, prediction: Any) -> bool:
    try:
        return verify(gold, prediction, timeout_seconds=None, raise_on_error=True)
    except MemoryError:
        raise
    except Exception:
        # sympy cannot compare every two things; such a pair is not shown to be equal
        return False
