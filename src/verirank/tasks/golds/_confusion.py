"""How well the verifier knows a bench's answers: itself, other notations, and its neighbours'."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from verirank.tasks._boxed import stated_answer
from verirank.tasks._problem import Problem
from verirank.tasks.golds._rewritings import rewritings
from verirank.verifier import Verifier

Kind = Literal["self", "rewriting", "neighbour"]


@dataclass(frozen=True, slots=True)
class Misjudgement:
    """A pair that the verifier got wrong: a right answer refused, or another one accepted."""

    problem: str
    kind: Kind
    rewriting: str
    gold: str
    prediction: str
    reason: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """The verifier's verdicts on one bench.

    Of `golds` answers `self_right` are accepted against themselves in a box, of `rewritings`
    other notations of them `rewritings_right`; of `neighbours` answers of the problems before and
    after, `neighbours_accepted` are taken for right though written differently.
    """

    golds: int
    self_right: int
    rewritings: int
    rewritings_right: int
    neighbours: int
    neighbours_accepted: int
    misjudgements: tuple[Misjudgement, ...]


@dataclass(frozen=True, slots=True)
class _Trial:
    problem: str
    kind: Kind
    rewriting: str
    gold: str
    prediction: str

    @property
    def is_right(self) -> bool:
        return self.kind != "neighbour"


def find_confusion(problems: Sequence[Problem], verifier: Verifier) -> Confusion:
    """Try every answer of a bench against itself, its other notations and its neighbours."""
    trials = [trial for index in range(len(problems)) for trial in _trials(problems, index)]
    rewards = verifier.verify_many([(trial.gold, trial.prediction) for trial in trials])
    wrong = tuple(
        Misjudgement(t.problem, t.kind, t.rewriting, t.gold, t.prediction, reward.reason)
        for t, reward in zip(trials, rewards, strict=True)
        if reward.correct != t.is_right
    )

    def count(kind: Kind) -> int:
        return sum(trial.kind == kind for trial in trials)

    def failed(kind: Kind) -> int:
        return sum(trial.kind == kind for trial in wrong)

    return Confusion(
        golds=count("self"),
        self_right=count("self") - failed("self"),
        rewritings=count("rewriting"),
        rewritings_right=count("rewriting") - failed("rewriting"),
        neighbours=count("neighbour"),
        neighbours_accepted=failed("neighbour"),
        misjudgements=wrong,
    )


def _trials(problems: Sequence[Problem], index: int) -> list[_Trial]:
    problem, gold = problems[index], problems[index].answer
    # The box stays on here: an answer taken out of it would be the gold's own text.
    trials = [_Trial(problem.id, "self", "", gold, rf"\boxed{{{gold}}}")]
    for name, other in rewritings(gold):
        stated = stated_answer(rf"\boxed{{{other}}}")
        assert stated is not None
        trials.append(_Trial(problem.id, "rewriting", name, gold, stated))
    for neighbour in (problems[index - 1], problems[(index + 1) % len(problems)]):
        if _bare(neighbour.answer) != _bare(gold):
            trials.append(_Trial(problem.id, "neighbour", "", gold, neighbour.answer))
    return trials


def _bare(answer: str) -> str:
    """Return what two writings of one answer share; x=5 and 5 are one answer."""
    answer = re.sub(r"^[a-z]\s*=", "", answer)
    return re.sub(r"\s|\\left|\\right|\\!|(?<=\\)[dt](?=frac)", "", answer)
