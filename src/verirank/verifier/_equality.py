"""Whether two answers are mathematically equal, by math-verify; runs inside a worker process."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random
from typing import Any

from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify
from sympy import Expr, FiniteSet, Float, Interval, Max, Rational, Tuple, Union, nan, oo, zoo
from sympy.matrices import MatrixBase

from verirank.verifier._notation import bare, rewritten

Verdict = tuple[bool, str]
"""Whether the answer is right, and the reason in a few fixed words."""

_FONT = r"\\(?:math|text)(?:rm|it|bf|sf|normal)?"
_UPRIGHT_CONSTANT = re.compile(_FONT + r"\s*\{\s*([ei])\s*\}")
_FONT_ENDING_A_GROUP = re.compile(_FONT + r"\s*\{([^{}]*)\}\s*(?=\})")
_SYMBOL_AS_SUBSCRIPT = re.compile(r"_\{\s*\\(odot|oplus|otimes|star|ast|perp|parallel|dagger)\s*\}")
_PROSE = re.compile(
    r"(?<![\\A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}"
    r"|[\u0400-\u06ff\u0900-\u0dff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}"
)
_DIGITS, _NOISE = 60, Float("1e-40", 60)
_COLLECTIONS: tuple[Any, ...] = (FiniteSet, Tuple, Union, Interval, MatrixBase)
_DELIMITERS = ("$", r"\boxed", r"\(", r"\[")
_EXPRESSION = re.compile(r"[\^_*/=+]|\\(?!boxed|%)")
_NUMBER = re.compile(r"\d[\d,]*\.?\d*|\.\d+", re.ASCII)
_POINTS = re.compile(r"(?<![A-Za-z\\])[A-Z]{2,}(?![A-Za-z])")
_PRIME = re.compile(r"(?<![A-Za-z]{2})(?<=[A-Za-z)}])(?:'|\^\{?\\prime)")
_WHOLE = (LatexExtractionConfig(),)
_OR_A_NUMBER = (LatexExtractionConfig(), ExprExtractionConfig())


def compare(gold: str, prediction: str) -> Verdict:
    """Return whether a prediction states the gold answer.

    Text without mathematical delimiters is read as one expression; a prediction in which words
    follow words is also read as prose that holds an answer.
    """
    gold, prediction = bare(gold), bare(prediction)
    golds = _parse(_as_maths(gold), _kinds(gold))
    if not golds:
        return False, "unparsable gold"
    predictions = _parse(_as_maths(prediction), _kinds(prediction))
    if _PROSE.search(prediction):
        predictions += _parse(prediction, _OR_A_NUMBER)
    if not predictions:
        return False, "unparsable answer"
    if _has_prime(gold) != _has_prime(prediction) or _points(gold) != _points(prediction):
        return False, "different"
    equal = any(_equal(a, b) for a in golds for b in predictions)
    return equal, "equal" if equal else "different"


def _kinds(text: str) -> tuple[Any, ...]:
    """Return how a text may be read: as a number in it only where that is no fragment of more."""
    is_a_number = len(_NUMBER.findall(text)) == 1 and not _EXPRESSION.search(text)
    return _OR_A_NUMBER if is_a_number else _WHOLE


def _points(text: str) -> set[str]:
    """Return names such as AB and ABC, which math-verify takes for products: AB is not BA.

    Prose has words in capitals, too, so its names do not count.
    """
    return set() if _PROSE.search(text) else set(_POINTS.findall(text))


def _has_prime(text: str) -> bool:
    """Tell whether a derivative's prime stands in a text: math-verify drops it."""
    return _PRIME.search(text) is not None


def _as_maths(text: str) -> str:
    text = text.replace(r"\$", "")
    return text if any(mark in text for mark in _DELIMITERS) else f"${text}$"


@lru_cache(maxsize=256)
def _parse(text: str, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the readings of a text: an expression, where there is one, and its plain string.

    Fonts are dropped where they carry no meaning, since math-verify takes a font command at the
    end for a unit and cuts it off together with the brace that follows. A reading that was cut
    within a group says nothing about the answer, so none is returned.
    """
    text = _UPRIGHT_CONSTANT.sub(r" \1", rewritten(text))
    text = _FONT_ENDING_A_GROUP.sub(_drop_font_unless_unit, text)
    text = _SYMBOL_AS_SUBSCRIPT.sub(r"_{\1}", text)
    readings = parse(
        text,
        kinds,
        parsing_timeout=None,  # type: ignore[arg-type]
        raise_on_error=True,
    )
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
        return verify(
            gold, prediction, timeout_seconds=None, raise_on_error=True
        ) and not _differ_in_value(gold, prediction)
    except MemoryError:
        raise
    except Exception:
        # sympy cannot compare every two things; such a pair is not shown to be equal
        return False


def _differ_in_value(gold: Any, prediction: Any) -> bool:
    """Tell whether two values differ at random positive points, beyond the noise of 60 digits.

    math-verify rounds to fixed decimal places, which makes near values, and all small ones, the
    same. Collections differ where a member of one differs from every member of the other.
    """
    if isinstance(gold, _COLLECTIONS) and isinstance(prediction, _COLLECTIONS):
        return len(gold.args) == len(prediction.args) and any(
            all(_differ_in_value(a, b) for b in prediction.args) for a in gold.args
        )
    if not (isinstance(gold, Expr) and isinstance(prediction, Expr)):
        return False
    generator = Random(0)
    names = sorted(gold.free_symbols | prediction.free_symbols, key=str)
    point: Any = {name: Rational(generator.randrange(300, 4_000), 1_009) for name in names}
    a, b = (side.doit().subs(point).evalf(_DIGITS) for side in (gold, prediction))
    if not (a.is_number and b.is_number) or a.has(nan, zoo, oo) or b.has(nan, zoo, oo):
        return False
    return bool(abs(a - b) > Max(abs(a), abs(b)) * _NOISE)
