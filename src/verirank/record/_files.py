"""Files that are whole or not there: written beside their place and moved into it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield where to write a file that becomes `path` if the block ends well, and else vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield scratch
        _to_disk(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes) -> None:
    """Replace a file in one move, creating its folder; text is UTF-8."""
    with whole_file(path) as scratch:
        scratch.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one move."""
    write_file(path, json.dumps(value, indent=2) + "\n")


def as_row(value: DataclassInstance) -> dict[str, Any]:
    """Return a dataclass's values by their names; `dataclasses.asdict` copies each of them deeply.

    Where thousands are written, those copies take longer than the writing.
    """
    return {field.name: getattr(value, field.name) for field in fields(value)}


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a CSV file by rows that share their keys, under a header; no rows make it empty.

    Raises:
        ValueError: a row has other keys than the first.
    """
    rows = list(rows)
    text = io.StringIO()
    if rows:
        names = list(rows[0])
        if other := [row for row in rows if row.keys() != rows[0].keys()]:
            raise ValueError(f"a row of {path} has the keys {list(other[0])}, the first {names}")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([row[name] for name in names] for row in rows)
    write_file(path, text.getvalue())


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a Parquet file; all columns, or those of some names that it has.

    It takes one thread, for more cost what they save on a few thousand rows, and none of pyarrow's
    datasets, whose import takes longer than the largest of these files.
    """
    with pq.ParquetFile(path) as file:
        return file.read(columns, use_threads=False)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` if the block ends well, and else vanishes."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        for file in scratch.rglob("*"):
            if file.is_file():
                _to_disk(file)
        if path.exists():
            shutil.rmtree(path)
        scratch.rename(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _to_disk(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
