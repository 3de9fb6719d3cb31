"""Short answers that are no mathematics: hedged, negated, or of several values."""

from __future__ import annotations

import re

from verirank.verifier._readings import MAX_STATEMENT, decided, trees
from verirank.verifier._undressing import undressed
from verirank.verifier.comparing import NUMERIC_KINDS, is_number, kind_of_tree
from verirank.verifier.reading import Node

_HEDGE = re.compile(
    r"\b(?:or|not|maybe|perhaps|probably|either|neither|approximately|about|around"
    r"|wrong|incorrect|false)\b|n't\b"
    r"|\\n(?:eq?|ot)\b|≠",
    re.IGNORECASE,
)
_MAX_SENTENCE = 160
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+|\n")
_SEPARATE = re.compile(
    r"=|\$+|,\s|\s(?:and|you|is|say|says|think|thinks)\s|(?<![\\A-Za-z])[A-Za-z]{2,}\s"
)
_ADJACENT = re.compile(r"(?<![\w^_}])\d+\s+\d+(?!\s*/)(?![^\W\d_])")


def states_other_values(gold: Node, kind: str, prediction: str) -> bool:
    """Tell whether an answer to one value hedges, negates, or states other values as well."""
    if kind == "equation":
        gold = gold.parts[-1]
        kind = kind_of_tree(gold)
    if len(prediction) <= MAX_STATEMENT and _ADJACENT.search(prediction):
        return True
    if r"\boxed" in prediction or kind not in (*NUMERIC_KINDS, "percent", "quantity"):
        return False
    sentence = _SENTENCE_END.split(prediction.rstrip(" .\n"))[-1]
    is_short = len(sentence) <= _MAX_SENTENCE
    if is_short and (_HEDGE.search(sentence) or sentence.rstrip("$ ").endswith("?")):
        return True
    if len(prediction) > MAX_STATEMENT:
        return False
    stated = [tree for part in _SEPARATE.split(prediction) for tree in trees(undressed(part))]
    return any(is_number(tree) and decided(gold, tree) is False for tree in stated)
