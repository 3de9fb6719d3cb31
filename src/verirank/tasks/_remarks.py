"""What is odd about a set of problems: repeats, contradictions, answers that cannot be compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from verirank.tasks._answer_formats import AnswerFormat, read_answer
from verirank.tasks._problem import Problem
from verirank.tasks._training_stream import normalised

_TOLD = 5
_NO_VALUE = re.compile(r"(?:nan|null|n/?a|#n/a|undefined|todo|tbd)", re.IGNORECASE)
_TEXT = re.compile(r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_PROSE = 4
"""Words that make an answer prose, where it is to be compared as mathematics."""


def remarks_on(problems: Sequence[Problem], form: AnswerFormat) -> Iterator[str]:
    """Yield a sentence for each oddity of a set of problems.

    Args:
        problems: the whole set.
        form: how answers are read and compared; `text` and `free` allow any gold answer.
    """
    answers: dict[str, dict[str, list[Problem]]] = {}
    for problem in problems:
        same = answers.setdefault(normalised(problem.text), {})
        same.setdefault("".join(problem.answer.split()), []).append(problem)
    repeated = [p for by in answers.values() for same in by.values() for p in same[1:]]
    if repeated:
        yield f"{_counted(repeated, problems)} repeat another one and its answer ({_ids(repeated)})"
    unsure = [next(iter(by.values()))[0] for by in answers.values() if len(by) > 1]
    if unsure:
        yield (
            f"{_counted(unsure, problems)} occur again with a different answer ({_ids(unsure)}): "
            "what is right for one is wrong for the other"
        )
    if form in ("boxed", "number"):
        yield from _on_golds(problems, form)


def _on_golds(problems: Sequence[Problem], form: AnswerFormat) -> Iterator[str]:
    odd = [p for p in problems if not is_value(p.answer)]
    if odd:
        yield (
            f"{_counted(odd, problems)} have a gold answer that is no value to compare with, such "
            f"as {odd[0].answer[:40]!r} of {odd[0].id!r} ({_ids(odd)}): mend them, or set "
            "task.answer_format=text, or task.reward"
        )
    if form == "number":
        words = [p for p in problems if read_answer(p.answer, form) != p.answer.replace(",", "")]
        if words:
            yield (
                f"task.answer_format=number, but {_counted(words, problems)} have a gold answer "
                f"that is no number, such as {words[0].answer[:40]!r}: set it to boxed or text"
            )


def is_value(answer: str) -> bool:
    """Return whether a gold answer can be a value: no prose, stray braces or filler."""
    escaped = re.sub(r"\\[{}]", "", answer)
    balanced = escaped.count("{") == escaped.count("}")
    prose = len(_WORD.findall(_TEXT.sub(" ", answer))) >= _PROSE
    filler = _NO_VALUE.fullmatch(answer.strip()) or not re.search(r"\w|\\", answer)
    return balanced and not prose and not filler


def _counted(some: Sequence[Problem], problems: Sequence[Problem]) -> str:
    return f"{len(some)} of {len(problems)} problems"


def _ids(some: Sequence[Problem]) -> str:
    more = ", ..." if len(some) > _TOLD else ""
    return "ids " + ", ".join(problem.id for problem in some[:_TOLD]) + more
