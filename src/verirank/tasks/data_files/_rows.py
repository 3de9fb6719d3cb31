"""The rows of a file: JSON lines, a JSON array, CSV or Parquet, zipped or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from verirank.config import PROBLEM_FILES as FORMATS
from verirank.config import InputError, is_problem_file
from verirank.record import json_kind, numbered_lines, parse_object, read_text

Row = tuple[int, dict[str, Any] | str]
"""A row's number, from 1, and its values by column, or why it cannot be read."""

_SEPARATORS = ",;\t"


def read_rows(path: str) -> Iterator[Row]:
    """Yield the numbered rows of a file; those of JSON lines have the numbers of their lines.

    Args:
        path: its ending names its format; all but Parquet may be zipped, as in .jsonl.gz.

    Raises:
        InputError: the file is missing or unreadable, or of another format.
    """
    if not is_problem_file(path):
        raise InputError(f"cannot read {path}: its name must end in one of {', '.join(FORMATS)}")
    ending = path.removesuffix(".gz").rpartition(".")[2]
    readers: dict[str, Callable[[str], Iterable[Row]]] = {
        "parquet": _parquet_rows,
        "csv": _csv_rows,
        "tsv": _csv_rows,
    }
    yield from readers.get(ending, _json_rows)(path)


def _json_rows(path: str) -> Iterator[Row]:
    """Yield the objects of JSON lines, or of an array, whichever the file holds."""
    text = read_text(path)
    whole = _json(text)
    if isinstance(whole, dict):
        # Some writers put the array below one key, as in {"data": [...]}.
        lists = [value for value in whole.values() if _holds_objects(value)]
        whole = lists[0] if len(lists) == 1 and len(whole) == 1 else [whole]
    if not isinstance(whole, list) or not whole:
        for number, line in numbered_lines(text):
            yield number, parse_object(line)
        return
    for number, row in enumerate(whole, start=1):
        is_row = isinstance(row, dict)
        yield number, row if is_row else f"a row must be a JSON object, not {json_kind(row)}"


def _json(text: str) -> Any:
    """Return what a text holds as a whole, or None where it is JSON lines or not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _csv_rows(path: str) -> Iterator[Row]:
    """Yield the rows of a table with a header; every value is text, so that 007 and 1.50 stay."""
    import pyarrow as pa
    from pyarrow import csv

    header = next((line for _, line in numbered_lines(read_text(path))), "")
    faults: dict[int, str] = {}

    def leave_out(row: csv.InvalidRow) -> str:
        said = f"the header has {row.expected_columns} columns, the row {row.actual_columns}"
        faults[row.number or 0] = said
        return "skip"

    parse = csv.ParseOptions(
        delimiter=max(_SEPARATORS, key=header.count),
        newlines_in_values=True,
        invalid_row_handler=leave_out,
    )
    read = csv.ReadOptions(use_threads=False)
    try:
        with csv.open_csv(path, read, parse) as reader:
            names = reader.schema.names
        faults.clear()
        text = csv.ConvertOptions(column_types={name: pa.string() for name in names})
        rows = iter(csv.read_csv(path, read, parse, text).to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if len(set(names)) < len(names):
        raise InputError(f"cannot read {path}: two columns have one name: {', '.join(names)}")
    number = 2  # the header is the first
    while row := faults.pop(number, None) or next(rows, None):
        yield number, row
        number += 1


def _parquet_rows(path: str) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    yield from enumerate(rows, start=1)
