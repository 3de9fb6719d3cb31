"""From a row of anybody's data set to a problem: which columns hold what."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from verirank.config import InputError, Section
from verirank.tasks._boxed import last_box
from verirank.tasks._problem import Problem

Row = tuple[int, dict[str, Any]]
"""A row's number, from 1, and its values."""

_FORMS = {"boxed": r"\boxed{...}", "hashes": "#### ..."}
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


class Columns(Section):
    r"""The names of a data set's columns; a dot leads into a struct, as in `extra_info.index`.

    An empty `id` numbers the rows. `answer_form` tells where in its column an answer stands: it is
    the whole `value`, the last `boxed` one, or what follows the last `hashes` (####). Where
    `levels` are named, only rows whose `level` is one of them are kept; `Level 5` and 5 are the
    same level.
    """

    problem: str = "problem"
    answer: str = "answer"
    id: str = "id"
    answer_form: Literal["value", "boxed", "hashes"] = "value"
    level: str = "level"
    levels: tuple[int, ...] = ()


def problems_of(rows: Iterable[Row], columns: Columns, source: str) -> list[Problem]:
    """Return the problems of a data set's rows, in their order.

    Args:
        rows: numbered rows.
        columns: where in a row its values stand.
        source: what an error names: a file or a data set.

    Raises:
        InputError: a row lacks a value, ids repeat, or no row is left; the message names the row.
    """
    problems: dict[str, Problem] = {}
    for number, row in rows:
        place = f"{source}:{number}"
        if columns.levels and _level(row, columns, place) not in columns.levels:
            continue
        problem = _problem(row, columns, number, place)
        if problem.id in problems:
            raise InputError(f"{place}: the id {problem.id!r} stands in an earlier row too")
        problems[problem.id] = problem
    if not problems:
        of_levels = f" of levels {', '.join(map(str, columns.levels))}" if columns.levels else ""
        raise InputError(f"{source} holds no problems{of_levels}")
    return list(problems.values())


def _problem(row: dict[str, Any], columns: Columns, number: int, place: str) -> Problem:
    asked = [column for column in (columns.id, columns.problem, columns.answer) if column]
    if lacking := [column for column in asked if _found(row, column) is None]:
        raise _lacks(row, lacking, place)
    return Problem(
        id=_text(row, columns.id, place, numbers=True) if columns.id else str(number),
        prompt=_text(row, columns.problem, place),
        answer=_answer(row, columns, place),
    )


def _answer(row: dict[str, Any], columns: Columns, place: str) -> str:
    text = _text(row, columns.answer, place, numbers=True)
    if columns.answer_form == "value":
        return text
    if columns.answer_form == "boxed":
        answer = last_box(text)
    else:
        answer = text.rpartition("####")[2] if "####" in text else None
    if answer is None or not answer.strip():
        form = _FORMS[columns.answer_form]
        raise InputError(f"{place}: {columns.answer!r} holds no answer in the form of {form}")
    return answer.strip()


def _level(row: dict[str, Any], columns: Columns, place: str) -> int | None:
    found = _LAST_NUMBER.search(str(_value(row, columns.level, place)))
    return int(found[0]) if found else None


def _text(row: dict[str, Any], column: str, place: str, *, numbers: bool = False) -> str:
    value = _value(row, column, place)
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(int(value)) if value == int(value) else str(value)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{place}: {column!r} must be text, not {value!r}")
    return value


def _value(row: dict[str, Any], column: str, place: str) -> Any:
    value = _found(row, column)
    if value is None:
        raise _lacks(row, [column], place)
    return value


def _found(row: dict[str, Any], column: str) -> Any:
    """Return what stands in a column, or None; a name with dots may be that of a column itself."""
    value: Any = row.get(column)
    if value is None and "." in column:
        value = row
        for part in column.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    return None if value == "" else value


def _lacks(row: dict[str, Any], columns: list[str], place: str) -> InputError:
    lacking, known = (", ".join(map(repr, names)) for names in (columns, row))
    return InputError(f"{place}: the row lacks {lacking}; it has {known or 'nothing'}")
