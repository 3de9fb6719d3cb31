"""Which samples of a problem state the same answer, however they write it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verirank.verifier import Verifier

Vote = int | None
"""The number of an answer within its problem; None where a sample states none."""


def votes_by_value(
    verifier: Verifier, answers: Sequence[Sequence[str | None]], correct: Sequence[Sequence[bool]]
) -> list[list[Vote]]:
    """Return every sample's vote; equal answers are one, and so are all right ones.

    Args:
        verifier: compares the wrong answers of a problem with each other.
        answers: the stated answers of P problems.
        correct: whether each of them is right.
    """
    ballots = [_Ballot(*problem) for problem in zip(answers, correct, strict=True)]
    while pairs := [pair for ballot in ballots for pair in ballot.open_pairs()]:
        rewards = iter(verifier.verify_many(pairs))
        for ballot in ballots:
            ballot.close_one(next(rewards).correct for _ in ballot.open_pairs())
    return [ballot.votes() for ballot in ballots]


def votes_by_text(answers: Sequence[Sequence[str | None]]) -> list[list[Vote]]:
    """Return every sample's vote, where only the same text is the same answer."""
    return [_Ballot(problem, [False] * len(problem)).votes() for problem in answers]


class _Ballot:
    """The answers to one problem, of which those that are still open are compared."""

    def __init__(self, answers: Sequence[str | None], correct: Sequence[bool]) -> None:
        self._answers = answers
        right = {answer for answer, is_right in zip(answers, correct, strict=True) if is_right}
        distinct = list(dict.fromkeys(answer for answer in answers if answer is not None))
        self._votes = {answer: 0 if answer in right else n for n, answer in enumerate(distinct, 1)}
        self._open = [answer for answer in distinct if answer not in right]

    def open_pairs(self) -> list[tuple[str, str]]:
        """Return the first open answer beside each other one."""
        return [(self._open[0], other) for other in self._open[1:]]

    def close_one(self, equal: Iterable[bool]) -> None:
        """Settle the first open answer, given which of the others equal it."""
        first, others = self._open[:1], self._open[1:]
        self._open = []
        for other, is_equal in zip(others, equal, strict=True):
            if is_equal:
                self._votes[other] = self._votes[first[0]]
            else:
                self._open.append(other)

    def votes(self) -> list[Vote]:
        """Return the vote of every sample."""
        return [None if answer is None else self._votes[answer] for answer in self._answers]
