"""Which problems of a bench stand in a training set too.

A bench problem overlaps where some training problem holds at least half of its word 8-grams, or
consists of the same words. Words are runs of letters and digits in lower case, so that notation,
spacing and punctuation do not hide a copy; another number in the same text is still found, which
makes the count an upper bound.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from verirank.tasks._problem import Problem

_WORD = re.compile(r"[^\W_]+")
_N = 8
Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a training set and a bench have in common.

    Of the bench's `n` problems, `exact` have the words of a training problem and `ngram` have at
    least half of their word 8-grams in one; `ids` are those of either kind, in the bench's order.
    """

    n: int
    exact: int
    ngram: int
    ids: tuple[str, ...]


def find_overlap(train: Sequence[Problem], bench: Sequence[Problem]) -> Overlap:
    """Return which problems of a bench overlap with a training set."""
    texts = {tuple(_words(problem.text)) for problem in train}
    exact = [tuple(_words(problem.text)) in texts for problem in bench]
    ngram = _match_by_ngrams(train, bench)
    either = (a or b for a, b in zip(exact, ngram, strict=True))
    return Overlap(
        n=len(bench),
        exact=sum(exact),
        ngram=sum(ngram),
        ids=tuple(problem.id for problem, hit in zip(bench, either, strict=True) if hit),
    )


def _match_by_ngrams(train: Sequence[Problem], bench: Sequence[Problem]) -> list[bool]:
    grams = [_grams(problem.text) for problem in bench]
    holders: dict[Gram, list[int]] = defaultdict(list)
    for index, own in enumerate(grams):
        for gram in own:
            holders[gram].append(index)
    most = [0] * len(bench)
    for problem in train:
        shared = Counter(index for gram in _grams(problem.text) for index in holders.get(gram, ()))
        for index, count in shared.items():
            most[index] = max(most[index], count)
    return [0 < len(own) <= 2 * count for own, count in zip(grams, most, strict=True)]


def _grams(text: str) -> set[Gram]:
    words = _words(text)
    return {tuple(words[start : start + _N]) for start in range(len(words) - _N + 1)}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
