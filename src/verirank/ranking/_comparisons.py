"""Every method against LoRA and against full fine-tuning, and what the study could have seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from verirank.ranking._differences import REFERENCES
from verirank.ranking._leaderboard import Leaderboard
from verirank.statistics import ALPHA

_MOST_DETECTABLE = 100
"""Arms up to which the smallest difference that could have been seen is worked out."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm's Avg@k less a reference's on the same problems and seeds, in fractions of 1.

    It is the test that ranks read: `p_holm` is corrected over all pairs of the bench's arms.
    `detectable` is the smallest true difference that the study finds four times in five at the
    hardest step of that correction; None for very many arms. With one seed all of it is about these
    runs, not about the methods.
    """

    label: str
    reference: str
    bench: str
    seeds: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    detectable: float | None

    @property
    def resolved(self) -> bool:
        """Whether the two are told apart at 5 %."""
        return self.p_holm <= ALPHA


def comparisons(board: Leaderboard) -> list[Comparison]:
    """Return the differences of all arms to LoRA and to full fine-tuning, on every bench.

    A reference is the arm that bears the method's plain name; without it there is none. The two
    references are compared once.
    """
    return [comparison for bench in board.benches for comparison in _on(board, bench)]


def _on(board: Leaderboard, bench: str) -> Iterator[Comparison]:
    tests = board.tests[bench]
    if tests.pairs is None:
        return
    references = [label for label in REFERENCES if label in tests.pairs.arms]
    is_small = len(tests.pairs.arms) <= _MOST_DETECTABLE
    for index, reference in enumerate(references):
        for label in tests.pairs.arms:
            pair = None if label in references[:index] else tests.pair(label, reference)
            if pair is not None:
                yield Comparison(
                    label=label,
                    reference=reference,
                    bench=bench,
                    seeds=pair.seeds,
                    difference=pair.difference,
                    low=pair.low,
                    high=pair.high,
                    p=pair.p,
                    p_holm=pair.p_holm,
                    detectable=tests.pairs.detectable(label, reference) if is_small else None,
                )
