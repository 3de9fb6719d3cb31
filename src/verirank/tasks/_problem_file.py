"""Reading problems from files, with an error that names the file and line of what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from verirank.config import InputError, read_json_lines
from verirank.tasks._columns import Columns, Row, problems_of
from verirank.tasks._problem import Problem

FORMATS = (".jsonl", ".jsonl.gz", ".parquet")
"""How the names of files end that problems can be read from."""


def read_problems(path: str, columns: Columns | None = None) -> list[Problem]:
    """Return the problems of a file, in its order.

    Args:
        path: a .jsonl, .jsonl.gz or .parquet file.
        columns: where in a row its values stand; by default in `id`, `problem` and `answer`.

    Raises:
        InputError: the file is missing, empty or unreadable, or a row lacks a value or repeats an
            id; the message names the line.
    """
    return problems_of(read_rows(path), columns or Columns(), path)


def read_rows(path: str) -> Iterator[Row]:
    """Yield the numbered rows of a file.

    Raises:
        InputError: the file is missing or unreadable, or of another format.
    """
    if path.endswith(".parquet"):
        return _parquet_rows(path)
    if path.endswith(FORMATS):
        return read_json_lines(path)
    raise InputError(f"cannot read {path}: it must be one of {', '.join(FORMATS)}")


def _parquet_rows(path: str) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    yield from enumerate(rows, start=1)
