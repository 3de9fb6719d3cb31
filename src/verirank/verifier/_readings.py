"""The readings of golds and answers, each a tree."""

from __future__ import annotations

import re
from functools import lru_cache

from verirank.verifier._words import (
    choice,
    excepted,
    is_empty_set,
    named_fraction,
    named_number,
    set_of_reals,
)
from verirank.verifier.comparing import NUMERIC_KINDS, same
from verirank.verifier.reading import (
    EMPTY,
    REALS,
    Node,
    RefusedError,
    UnreadError,
    has_ambiguous_groups,
    parsed,
)

MAX_STATEMENT = 60
"""A longer answer that is no mathematics is prose."""

_CORRECTED = re.compile(
    r"(?:(?!\bor\b)[^\d,;])*"
    r"(?:\bis\s+\d\S*\s+which\s+is|\bnot\s+\S*\d\S*\s+(?:it's|it is|but))\s+(\S+)"
)
_LONE_I, _LONE_J = (
    re.compile(rf"(?<![A-Za-z\\]){letters}(?![A-Za-z])") for letters in ("i", "[jI]")
)
_AND_A_FRACTION = re.compile(
    r"(-?\d+)(?: and |\s*\\text\s*\{ and \}\s*)(?=\d+/|\\[dt]?frac)", re.ASCII
)
_NAMED_POINT = re.compile(r"[A-Z]'?\s*(?=\(.*,.*\)$)")
_PERCENT_WORD = re.compile(r"\s+per\s?cent$", re.IGNORECASE)
_SHORT_WORD = re.compile(r"(?=[a-z]*[eiou]|[a-z]+a)[a-z]{3}")
"""Red and day are words, xyz and abc products."""

_SCRIPT = r"(?:\{(\d+)\}|(\d)(?!\d))"
_LETTER_C = r"(?:\\(?:mathrm|text|operatorname)\s*\{C\}|C)"
_CHOICES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"(?<![A-Za-z\\]){_LETTER_C}\(\s*(\d+)\s*,\s*(\d+)\s*\)",
        rf"(?:\{{\}}\s*)?[_^]{_SCRIPT}\s*{_LETTER_C}\s*_{_SCRIPT}",
        rf"(?<![A-Za-z\\]){_LETTER_C}\s*_{_SCRIPT}\s*\^{_SCRIPT}",
        r"(?<![\w.])(\d+)\s*C\s*(\d+)(?![\w.])",
    )
)
"""Notations of a binomial coefficient with its two numbers, the larger first."""
_INDIAN_GROUPS = re.compile(r"(?<![\w.,])[1-9]\d?(?:,\d\d)+,\d{3}(?![\w,])", re.ASCII)
_PROGRAMS_E = re.compile(r"(?<![\w.\\])E(?=\*\*|\s*[*/+-]|\s*$)", re.ASCII)

_MAX_DEPTH = 150
"""Levels of a tree that is read; comparing takes a few calls of Python a level."""

_TIGHT_AREA = re.compile(r"\dm(?:\^?\{?[23]|[²³])")


@lru_cache(maxsize=4096)
def trees(text: str, *, tight_units: bool = False) -> tuple[Node, ...]:
    """Return the readings of a text: two where commas may part digits of numbers, or numbers."""
    if is_empty_set(text):
        return (EMPTY,)
    if _SHORT_WORD.fullmatch(text):
        return ()
    if reals := set_of_reals(text):
        return (reals,)
    if left_out := excepted(text):
        return tuple(
            Node("difference", (REALS, Node("bracket", _members(tree), r"\{\}")))
            for tree in trees(left_out)
        )
    read = []
    for digit_groups in (True, False) if has_ambiguous_groups(text) else (True,):
        try:
            tree = parsed(text, digit_groups=digit_groups, tight_units=tight_units)
        except (UnreadError, ZeroDivisionError, RecursionError):
            continue
        if not tree.is_deeper_than(_MAX_DEPTH):
            read.append(tree)
    return tuple(read)


def _members(tree: Node) -> tuple[Node, ...]:
    return tree.parts if tree.head == "list" else (tree,)


@lru_cache(maxsize=4096)
def is_refused(text: str) -> bool:
    """Tell whether a text is read in several ways, so that no comparison may choose one."""
    try:
        parsed(text)
    except RefusedError:
        return True
    except (UnreadError, ZeroDivisionError, RecursionError):
        return False
    return False


def _trees_after_choice(prediction: str) -> tuple[Node, ...]:
    stated = choice(prediction)
    return trees(stated.text) if stated and stated.text else ()


def answers(kind: str, prediction: str) -> tuple[Node, ...]:
    """Return the readings of an answer to a gold of a kind, letters as units where they may be."""
    read = trees(prediction) or _trees_after_choice(prediction)
    if kind == "quantity" or _TIGHT_AREA.search(prediction):
        read += trees(prediction, tight_units=True)
    if kind in ("mixed", "rational") and (joined := _AND_A_FRACTION.match(prediction)):
        read += trees(f"{joined[1]} {prediction[joined.end() :]}")
    if kind == "tuple" and (name := _NAMED_POINT.match(prediction)):
        read += trees(prediction[name.end() :])
    if kind in NUMERIC_KINDS and (rewritten := _as_a_number(prediction)) != prediction:
        read += trees(rewritten)
    if kind == "complex" and not _LONE_I.search(prediction):
        read += trees(_LONE_J.sub("i", prediction))
    if read or len(prediction) > MAX_STATEMENT:
        return read
    if kind == "percent" and (word := _PERCENT_WORD.search(prediction)):
        in_digits = named_number(prediction[: word.start()])
        return trees(f"{in_digits}%") if in_digits else ()
    if in_digits := named_number(prediction) or named_fraction(prediction):
        return trees(in_digits)
    corrected = _CORRECTED.fullmatch(prediction)
    return answers(kind, corrected[1]) if corrected else ()


def _as_a_number(text: str) -> str:
    r"""Return a text that is a number with what no other answer may mean: C(20, 3), E**2."""
    text = _INDIAN_GROUPS.sub(lambda group: group[0].replace(",", ""), text)
    for choices in _CHOICES if "C" in text else ():
        text = choices.sub(_binomial, text)
    return _PROGRAMS_E.sub("e", text)


def _binomial(choices: re.Match[str]) -> str:
    n, k = (digits for digits in choices.groups() if digits)
    return rf"\binom{{{n}}}{{{k}}}" if int(n) >= int(k) else choices[0]


def decided(gold: Node, answer: Node) -> bool | None:
    """Tell whether an answer is the gold, or None where that cannot be decided here."""
    try:
        return same(gold, answer)
    except RefusedError:
        return False
    except (UnreadError, ZeroDivisionError, RecursionError):
        return None
