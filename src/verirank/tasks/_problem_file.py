"""Reading problems from files, with an error that names the file and line of what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from verirank.config import InputError, read_json_lines
from verirank.tasks._problem import Problem


def read_problems(path: str) -> list[Problem]:
    """Return the problems of a .jsonl or .parquet file, in its order.

    Args:
        path: a file whose rows have an `id`, a `problem` and an `answer`; others are ignored.

    Raises:
        InputError: the file is missing, empty or unreadable, or a row lacks a value or repeats an
            id; the message names the line.
    """
    rows = _parquet_rows(path) if path.endswith(".parquet") else read_json_lines(path)
    problems: dict[str, Problem] = {}
    for line, row in rows:
        problem = _problem(row, f"{path}:{line}")
        if problem.id in problems:
            raise InputError(f"{path}:{line}: the id {problem.id!r} stands in an earlier row too")
        problems[problem.id] = problem
    if not problems:
        raise InputError(f"{path} holds no problems")
    return list(problems.values())


def _problem(row: dict[str, Any], place: str) -> Problem:
    return Problem(
        id=_text(row, "id", place),
        prompt=_text(row, "problem", place),
        answer=_text(row, "answer", place),
    )


def _text(row: dict[str, Any], key: str, place: str) -> str:
    value = row.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and key != "problem":
        value = str(value)
    if value is None or value == "":
        raise InputError(f"{place}: the row lacks {key!r}")
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{place}: {key!r} must be text, not {value!r}")
    return value


def _parquet_rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    yield from enumerate(rows, start=1)
