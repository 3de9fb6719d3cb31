"""Which columns of anybody's data set hold what: named by the user, or known by usual names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from verirank.config import InputError, Section
from verirank.tasks._conversation import RowError
from verirank.tasks._values import AnswerForm, answer_in, cell, form_of

_USUAL = {
    "problem": (
        *("problem", "question", "prompt", "messages", "conversations", "conversation"),
        *("query", "instruction", "input", "text"),
    ),
    "answer": (
        *("answer", "ground_truth", "reward_model.ground_truth", "final_answer", "expected_answer"),
        *("gold", "solution", "target", "label", "output", "response", "extra_info.answer"),
    ),
    "id": (
        *("id", "unique_id", "problem_id", "uid", "uuid", "problem_idx", "idx", "index"),
        "extra_info.index",
    ),
}
_SAMPLED = 1000


class Columns(Section):
    r"""The names of a data set's columns; a dot leads into a struct, as in `extra_info.index`.

    Spaces around a name and its case do not matter where no column has the very name. A column
    that is left open is found by its usual names; without a column of ids, or with an
    empty `id`, the rows are numbered. `answer_form` tells where in its column an answer stands: it
    is the whole `value`, the last `boxed` one, or what follows the last `hashes` (####); `auto` is
    the form that most answers have. Where `levels` are named, only rows whose `level` is one of
    them are kept; `Level 5` and 5 are the same level. Rows that cannot be used are refused, all at
    once, or with `faulty = "leave-out"` left out.
    """

    problem: str | None = None
    answer: str | None = None
    id: str | None = None
    answer_form: Literal["auto", "value", "boxed", "hashes"] = "auto"
    level: str = "level"
    levels: tuple[int, ...] = ()
    faulty: Literal["refuse", "leave-out"] = "refuse"


class FoundColumns(Section):
    """The columns that are read, as they are spelled; an `id` of "" numbers the rows."""

    problem: str
    answer: str
    id: str
    level: str
    group: str
    answer_form: AnswerForm


def find_columns(
    rows: Sequence[Mapping[str, Any]],
    named: Columns,
    source: str,
    on_remark: Callable[[str], None],
) -> FoundColumns:
    """Return which columns hold problem, answer and id.

    Args:
        rows: of one data set; the first thousand are looked at.
        named: by the user.
        source: what an error names: a file or a data set.
        on_remark: called with a sentence where a column has another name than here.

    Raises:
        InputError: there is no column for the problem or the answer; the message lists those that
            are there.
    """
    rows = rows[:_SAMPLED]
    problem = _spelled(named.problem, rows) or _usual("problem", rows, source)
    answer = _spelled(named.answer, rows) or _usual("answer", rows, source)
    key = _most_held(_USUAL["id"], rows) if named.id is None else _spelled(named.id, rows)
    form = named.answer_form
    if form == "auto":
        form = form_of([text for row in rows if (text := _answer_text(row, answer))])
    columns = FoundColumns(
        problem=problem,
        answer=answer,
        id=key or "",
        level=_spelled(named.level, rows) or named.level,
        group=_spelled("group", rows) or "group",
        answer_form=form,
    )
    named_or_usual = (
        named.problem or "problem",
        named.answer or "answer",
        "value" if named.answer_form == "auto" else named.answer_form,
    )
    if (problem, answer, form) != named_or_usual:
        on_remark(f"{source}: {_in_words(columns)}")
    return columns


def _answer_text(row: Mapping[str, Any], column: str) -> str:
    try:
        return answer_in(row, column, "value")
    except RowError:
        return ""


def _in_words(columns: FoundColumns) -> str:
    forms = {"value": "", "boxed": r", in \boxed{...}", "hashes": ", after ####"}
    numbered = f"the id in {columns.id!r}" if columns.id else "and the rows are numbered"
    return (
        f"the problem is read in {columns.problem!r}, the answer in {columns.answer!r}"
        f"{forms[columns.answer_form]}, {numbered}"
    )


def _spelled(name: str | None, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return a column's name as the rows spell it, spaces around it and case aside.

    A name that no column has, or that several may mean, is returned as it is.
    """
    there = dict.fromkeys(column for row in rows for column in row)
    if not name or name in there:
        return name
    meant = [one for one in there if one.strip().casefold() == name.strip().casefold()]
    return meant[0] if len(meant) == 1 else name


def _usual(what: str, rows: Sequence[Mapping[str, Any]], source: str) -> str:
    column = _most_held(_USUAL[what], rows)
    if column is None:
        names = ", ".join(map(repr, dict.fromkeys(name for row in rows for name in row)))
        also = ", ".join(_USUAL[what][1:6])
        raise InputError(
            f"{source}: the rows lack {what!r} or another usual name of it ({also}, ...); they "
            f"have {names or 'nothing'}: name the column with --set task.columns.{what}=NAME"
        )
    return column


def _most_held(usual: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the column that most rows hold a value in, the first of several; case aside.

    One that is there but empty is taken where no other has values.
    """
    counts = Counter[str]()
    preference: dict[str, int] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        if name.strip().lower() in usual:
            preference[name] = usual.index(name.strip().lower())
    inner = [name for name in usual if "." in name and any(cell(row, name) for row in rows)]
    preference |= {name: usual.index(name) for name in inner}
    for row in rows:
        counts.update(name for name in preference if cell(row, name) not in (None, ""))
    return min(preference, key=lambda name: (-counts[name], preference[name]), default=None)
