"""Answers read: LaTeX, plain, Unicode and programs' notation to trees."""

from verirank.verifier.reading._characters import UPRIGHT, plain_characters, without_fonts
from verirank.verifier.reading._scanner import MAX_READ, has_ambiguous_groups
from verirank.verifier.reading._statements import parsed
from verirank.verifier.reading._tree import (
    EMPTY,
    NOT_NEGATIVE,
    POSITIVE,
    REALS,
    Node,
    RefusedError,
    UnreadError,
    constant,
    difference,
    is_expression,
    number,
    signs_of,
    symbol,
    symbols,
)
from verirank.verifier.reading._units import NONE, Unit, in_common, unit_named
from verirank.verifier.reading._vocabulary import ALTERNATIVES, qualifies, trails, words

__all__ = [
    "ALTERNATIVES",
    "EMPTY",
    "MAX_READ",
    "NONE",
    "NOT_NEGATIVE",
    "POSITIVE",
    "REALS",
    "UPRIGHT",
    "Node",
    "RefusedError",
    "Unit",
    "UnreadError",
    "constant",
    "difference",
    "has_ambiguous_groups",
    "in_common",
    "is_expression",
    "number",
    "parsed",
    "plain_characters",
    "qualifies",
    "signs_of",
    "symbol",
    "symbols",
    "trails",
    "unit_named",
    "without_fonts",
    "words",
]
