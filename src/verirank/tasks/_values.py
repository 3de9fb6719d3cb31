r"""What a row's cells say: text, an answer however it is written, a number of a level."""

from __future__ import annotations

import json
import math
import re
from ast import literal_eval
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from verirank.tasks._boxed import last_box, whole_box
from verirank.tasks._conversation import (
    NoAnswerError,
    RowError,
    Turn,
    is_conversation,
    read_conversation,
    unpacked,
)

AnswerForm = Literal["value", "boxed", "hashes"]
_FORMS = {"boxed": r"\boxed{...}", "hashes": "#### ..."}
_MARKS = {"boxed": re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])"), "hashes": re.compile("####")}
_LIST_OF_TEXTS = re.compile(r"""\s*\[\s*(["']).*\1\s*\]\s*""", re.DOTALL)
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
_SHOWN = 40


def cell(row: Mapping[str, Any], column: str) -> Any:
    """Return what stands in a column, or None where the row lacks it.

    A dot leads into a struct, unless the name with the dot is a column's own.
    """
    value: Any = row.get(column)
    if value is None and "." in column:
        value = row
        for part in column.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def present(row: Mapping[str, Any], column: str) -> Any:
    """Return what stands in a column.

    Raises:
        RowError: nothing does; the message tells a missing column from an empty one.
    """
    value = cell(row, column)
    if value is None or (isinstance(value, str) and not value.strip()):
        if value is None and column not in row and "." not in column:
            known = ", ".join(map(repr, row)) or "nothing"
            raise RowError(f"the row lacks {column!r}; it has {known}")
        raise RowError(f"{column!r} is {'null' if value is None else 'empty'}")
    return value


def id_in(row: Mapping[str, Any], column: str) -> str:
    """Return the text or number in a column as text.

    Raises:
        RowError: there is neither.
    """
    return _as_text(present(row, column), column)


def prompt_in(row: Mapping[str, Any], column: str) -> str | tuple[Turn, ...]:
    """Return the text in a column, or the conversation.

    Raises:
        RowError: there is neither, or it cannot be written in UTF-8.
    """
    value = unpacked(present(row, column))
    if is_conversation(value):
        return tuple(
            Turn(role, _whole(text, column)) for role, text in read_conversation(value, column)
        )
    if not isinstance(value, str):
        raise RowError(f"{column!r} must be text or a conversation, not {shortened(value)}")
    return _whole(value, column)


def answer_in(row: Mapping[str, Any], column: str, form: AnswerForm) -> str:
    r"""Return the answer in a column.

    Args:
        row: by column.
        column: its name.
        form: the answer is the whole `value`, the last `boxed` one, or follows the last `hashes`.

    Raises:
        NoAnswerError: there is none in this form.
        RowError: the column is empty, or there are several answers.
    """
    text = _as_text(_only(present(row, column), column), column).strip()
    if form == "hashes":
        answer = text.rpartition("####")[2] if "####" in text else None
    elif form == "boxed":
        answer = last_box(text)
    else:
        answer = whole_box(text) or text
    if answer is None or not answer.strip():
        raise NoAnswerError(f"{column!r} holds no answer in the form of {_FORMS[form]}")
    return answer.strip()


def form_of(texts: list[str]) -> AnswerForm:
    """Return the form that most of a column's texts have."""
    for form in ("hashes", "boxed"):
        if 2 * sum(bool(_MARKS[form].search(text)) for text in texts) > len(texts):
            return form
    return "value"


def level_in(row: Mapping[str, Any], column: str) -> int | None:
    """Return the number of a level: `Level 5` and 5 are the same.

    Raises:
        RowError: the row has no level.
    """
    match = _LAST_NUMBER.search(str(present(row, column)))
    return int(match[0]) if match else None


def shortened(value: Any) -> str:
    """Return a value as it may stand in a message."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _only(value: Any, column: str) -> Any:
    """Return the one element of a list, also of one that is written as text (`["2"]`)."""
    if isinstance(value, str) and _LIST_OF_TEXTS.fullmatch(value):
        value = _listed(value)
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise RowError(f"{column!r} holds {len(value)} answers, not one: {shortened(value)}")
    return _only(value[0], column)


def _listed(text: str) -> Any:
    """Return the list that a text writes in JSON or Python, or the text."""
    for read in (json.loads, literal_eval):
        try:
            value = read(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list):
            return value
    return text


def _as_text(value: Any, column: str) -> str:
    if isinstance(value, str):
        return _whole(value, column)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise RowError(f"{column!r} is {value}, not a finite number")
        # Without an exponent: 1e-07 is written 0.0000001, and 27.0 is 27.
        plain = format(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    if isinstance(value, Mapping):
        inner = ", ".join(f"{column}.{name}" for name in value)
        raise RowError(f"{column!r} is a struct; name one of its columns: {inner}")
    raise RowError(f"{column!r} must be text, not {shortened(value)}")


def group_in(row: Mapping[str, Any], column: str | None) -> str | None:
    """Return what stands in the column of groups, None where nothing does.

    Raises:
        RowError: it cannot be written in UTF-8.
    """
    value = row.get(column or "")
    text = "" if value is None else str(value)
    return _whole(text, str(column)) if text.strip() else None


def _whole(text: str, column: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ascii(text[error.start])
        raise RowError(f"{column!r} holds half of a character ({code}, a lone surrogate)") from None
    return text
