"""Reading JSON that a user wrote, with errors that name the file and the line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any

from verirank.config import InputError


def read_json_lines(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line's number, from 1, and its object; blank lines are left out.

    A file that ends in .gz is unzipped.

    Raises:
        InputError: the file cannot be read as UTF-8, or a line is not a JSON object.
    """
    for number, line in numbered_lines(read_text(path)):
        row = parse_object(line)
        if isinstance(row, str):
            raise InputError(f"{path}:{number}: {row}")
        yield number, row


def read_text(path: str) -> str:
    """Return the text of a UTF-8 file, zipped if it ends in .gz, without its byte order mark.

    Raises:
        InputError: the file is missing or cannot be read as UTF-8.
    """
    try:
        with _opened(path) as file:
            return file.read()
    except FileNotFoundError:
        raise InputError(f"no file {path}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: {error}; save it as UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}") from None


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, of each line that is not blank, and the line."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def parse_object(text: str) -> dict[str, Any] | str:
    """Return the JSON object that a text holds, or why it holds none."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return row if isinstance(row, dict) else f"a line must be a JSON object, not {json_kind(row)}"


def json_kind(value: Any) -> str:
    """Return what JSON calls a value that is no object."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return {str: "a string", list: "an array"}.get(type(value), "a number")


def _opened(path: str) -> IO[str]:
    if path.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return open(path, encoding="utf-8-sig")
