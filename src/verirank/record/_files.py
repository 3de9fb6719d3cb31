"""Files that are whole or absent: written under another name, then renamed."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from verirank.config import InputError
from verirank.record._integrity import expect_sum, forget_sum, remember_sum

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
PARTIAL = ".partial"
"""How the names end of what is being written."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield where to write a file that becomes `path` if the block ends well, and else vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = _beside(path)
    try:
        yield scratch
        to_disk(scratch)
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


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file.

    Raises:
        FileNotFoundError: it is not there.
        InputError: it is no JSON.
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return json.loads(content)
    except ValueError as error:
        raise InputError(f"cannot read {path}: {error}") from None


def read_trial(path: Path) -> dict[str, Any]:
    """Return the settings in a trial.toml; nobody may change them.

    The seed is above all sections, which are the same for all trials of an arm. They are one object
    for all seeds, because parsing them anew takes most of the time of listing thousands of runs.

    Raises:
        OSError, ValueError: the file is missing or is no TOML.
    """
    text = path.read_text("utf-8")
    top, mark, sections = f"\n{text}".partition("\n[")
    try:
        return tomllib.loads(top) | _sections(mark + sections)
    except tomllib.TOMLDecodeError:
        return tomllib.loads(text)  # which says where in the whole file


@lru_cache(maxsize=4096)
def _sections(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def as_row(value: DataclassInstance) -> dict[str, Any]:
    """Return a dataclass's values by their names; `dataclasses.asdict` copies each of them deeply.

    Where thousands are written, those copies take longer than the writing.
    """
    return {field.name: getattr(value, field.name) for field in fields(value)}


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a CSV file by rows with the same keys, under a header; no rows make it empty.

    Text that a spreadsheet would run as a formula gets an apostrophe in front.

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
        writer.writerows([_no_formula(row[name]) for name in names] for row in rows)
    write_file(path, text.getvalue())


def write_table(folder: Path, name: str, content: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace NAME.json by some content and NAME.csv by its rows; without content, remove both."""
    json_file, csv_file = folder / f"{name}.json", folder / f"{name}.csv"
    if not content:
        json_file.unlink(missing_ok=True)
        csv_file.unlink(missing_ok=True)
        return
    write_json(json_file, content)
    write_csv(csv_file, rows)


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_parquet(path: Path, table: pa.Table) -> None:
    """Replace a Parquet file in one move, and remember its SHA-256 beside it."""
    with whole_file(path) as scratch:
        pq.write_table(table, scratch)
        forget_sum(path)
    remember_sum(path)


def join_parquet(files: Sequence[Path], path: Path) -> None:
    """Replace a Parquet file by the rows of others, one in memory at a time."""
    with whole_file(path) as scratch:
        with pq.ParquetWriter(scratch, pq.read_schema(files[0])) as writer:
            for file in files:
                with pq.ParquetFile(file) as source:
                    writer.write_table(source.read(use_threads=False).cast(writer.schema))
        forget_sum(path)
    remember_sum(path)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a Parquet file; all columns, or those of some names that it has.

    It takes one thread, for more cost what they save on a few thousand rows, and none of pyarrow's
    datasets, whose import takes longer than the largest of these files.

    Raises:
        FileNotFoundError: it is not there.
        InputError: it is cut off, not what was written, or no Parquet.
    """
    try:
        expect_sum(path)
        with pq.ParquetFile(path) as file:
            return file.read(columns, use_threads=False)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}") from None


@contextmanager
def whole_folder(path: Path, *, new: bool = False) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` if the block ends well, and else vanishes.

    A folder that is there already is replaced, or, if another process has just made one and `new`
    is asked for, refused.

    Raises:
        FileExistsError: `new`, and there is one with something in it.
    """
    scratch = _beside(path)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        for file in scratch.rglob("*"):
            if file.is_file():
                to_disk(file)
        if path.exists() and not new:
            shutil.rmtree(path)
        try:
            scratch.rename(path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise FileExistsError(f"{path} is there already") from None
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return where to prepare what is to become `path`, which no other process or machine uses."""
    return path.with_name(f".{path.name}.{token_hex(6)}{PARTIAL}")


def to_disk(file: Path) -> None:
    """Wait until what was written into a file would outlast a loss of power."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
