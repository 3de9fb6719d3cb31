"""Reading JSON lines that a user wrote, with errors that name the file and the line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any

from verirank.config.errors import InputError


def read_json_lines(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line's number, from 1, and its object; blank lines are left out.

    A file that ends in .gz is unzipped.

    Raises:
        InputError: the file cannot be read as UTF-8, or a line is not a JSON object.
    """
    try:
        with _opened(path) as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        raise InputError(f"no file {path}") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _object(line, f"{path}:{number}")


def _opened(path: str) -> IO[str]:
    if path.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return open(path, encoding="utf-8-sig")


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise InputError(f"{place}: a line must be a JSON object, not {type(row).__name__}")
    return row
