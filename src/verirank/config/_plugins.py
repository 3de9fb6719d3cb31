"""Methods, algorithms and tasks are entry points, so that adding one changes no other file."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from verirank.config.errors import InputError

Kind = Literal["method", "algorithm", "task"]


@cache
def _entry_points(kind: Kind) -> dict[str, Any]:
    return {point.name: point for point in entry_points(group=f"verirank.{kind}s")}


def plugin_names(kind: Kind) -> tuple[str, ...]:
    """Return the installed names of one kind, in alphabetical order, importing none of them."""
    return tuple(sorted(_entry_points(kind)))


def load_plugin(kind: Kind, name: str) -> Any:
    """Return the class registered under `name`.

    A task's name may also be the path of a JSONL or Parquet file of problems.

    Raises:
        InputError: no such name is installed; the message names the nearest one.
    """
    return _entry_points(kind)[expect_plugin(kind, name)].load()


def expect_plugin(kind: Kind, name: str) -> str:
    """Return the name that a plugin is registered under, importing nothing.

    Raises:
        InputError: see `load_plugin`.
    """
    if kind == "task" and Path(name).suffix in {".jsonl", ".parquet"}:
        name = "jsonl"
    points = _entry_points(kind)
    if name not in points:
        raise InputError(f"unknown {kind} {name!r}{nearest(name, points)}")
    return name


def nearest(word: str, known: Any, section: str = "") -> str:
    """Return the end of an error line: the nearest known word of a section, or all of them."""
    known = sorted(known)
    meant = [name for name in known if _abbreviates(word, name)]
    close = meant or get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {section + close[0]!r}?"
    return f"; known{f' in {section[:-1]}' if section else ''}: {', '.join(known)}"


def _abbreviates(word: str, name: str) -> bool:
    """Return whether a word ends with the initials of a name, as `method.lr` does."""
    (its, _, short), (section, _, whole) = word.rpartition("."), name.rpartition(".")
    initials = "".join(part[:1] for part in whole.split("_"))
    return its == section and len(short) > 1 and short == initials
