"""The scores that arXiv:2512.23165 reports, compared with a study's own."""

from __future__ import annotations

from dataclasses import dataclass

from verirank.ranking._leaderboard import Leaderboard

PUBLISHED_BENCHES = frozenset({"aime24", "aime25", "amc23", "hmmt25", "math-500", "minerva"})
"""The benches that the paper averages over."""

_PUBLISHED = {
    "full": 44.9,
    "lora": 42.5,
    "dora": 46.6,
    "adalora": 44.2,
    "miss": 43.4,
    "lora-plus": 43.9,
    "lora-fa": 43.0,
    "pissa": 0.2,
    "milora": 18.0,
    "vera": 40.7,
    "ia3": 22.3,
    "ln-tuning": 41.8,
}
"""Average accuracy in percent of DeepSeek-R1-Distill-Qwen-1.5B over six mathematics benches: one
learning rate, one seed. rsLoRA's figure is not in the paper's text; LoRA-FA's is 45.3 in its figure
and 43.0 in its text."""


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """A method's average score here and in the paper, and both minus LoRA's, fractions of 1."""

    method: str
    here: float
    published: float
    here_less_lora: float | None
    published_less_lora: float


def published_scores(board: Leaderboard) -> list[PublishedScore]:
    """Return the arms whose label is a plain method name beside the paper's scores, best first.

    Scores are comparable only if they are averages over the paper's benches; otherwise the list
    is empty.
    """
    if frozenset(board.averaged) != PUBLISHED_BENCHES:
        return []
    lora = board.other("lora", board.benches[0])
    return [
        PublishedScore(
            method=row.label,
            here=row.avg_at_k,
            published=round(_PUBLISHED[row.label] / 100, 4),
            here_less_lora=row.avg_at_k - lora.avg_at_k if lora else None,
            published_less_lora=round((_PUBLISHED[row.label] - _PUBLISHED["lora"]) / 100, 4),
        )
        for row in board.main
        if row.label in _PUBLISHED
    ]
