"""Pairs of gold and answer by kind, equal and unequal, of values drawn at random.

Every kind draws a value, writes it in many notations, and draws a different value beside it. Two
notations of one value are an equal pair; notations of two values are an unequal one.
"""

from notations.formulas import FORMULAS
from notations.kind import Kind, Pair, equal_pairs, unequal_pairs
from notations.numbers import NUMBERS
from notations.radicals import RADICALS
from notations.several import SEVERAL
from notations.symbols import SYMBOLS
from notations.words import WORDS

KINDS: tuple[Kind, ...] = (*NUMBERS, *RADICALS, *SYMBOLS, *FORMULAS, *SEVERAL, *WORDS)

__all__ = ["KINDS", "Kind", "Pair", "equal_pairs", "unequal_pairs"]
