"""Which kinds of answer a set of problems asks for, as the verifier reads its golds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from verirank.tasks._problem import Problem
from verirank.verifier import NO_KIND, kind_of


@dataclass(frozen=True, slots=True)
class GoldKinds:
    """The number of golds of each kind, most frequent first, and those that no kind fits.

    `unread` holds the id and the gold of each; math-verify alone compares them.
    """

    golds: int
    kinds: dict[str, int]
    unread: tuple[tuple[str, str], ...]


def gold_kinds(problems: Iterable[Problem]) -> GoldKinds:
    """Return the kinds of the golds of problems."""
    kinds = [(kind_of(problem.answer), problem) for problem in problems]
    return GoldKinds(
        golds=len(kinds),
        kinds=dict(Counter(kind for kind, _ in kinds).most_common()),
        unread=tuple((p.id, p.answer) for kind, p in kinds if kind == NO_KIND),
    )
