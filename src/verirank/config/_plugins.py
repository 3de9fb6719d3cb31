"""Methods, algorithms, tasks and benches are entry points: adding one changes no other file."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal

from verirank.config._suggestions import nearest_plugin
from verirank.config.errors import InputError

Kind = Literal["method", "algorithm", "task", "bench"]
_GROUPS: dict[Kind, str] = {
    "method": "verirank.methods",
    "algorithm": "verirank.algorithms",
    "task": "verirank.tasks",
    "bench": "verirank.benches",
}
PROBLEM_FILES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
"""How the names of files of problems end; all but Parquet may be zipped (.gz)."""


def is_problem_file(name: str) -> bool:
    """Return whether a name ends like that of a file of problems."""
    return name.endswith(PROBLEM_FILES) or name.removesuffix(".gz").endswith(PROBLEM_FILES[:-1])


CONTENDERS = (
    *("adalora", "dora", "full", "ia3", "ln-tuning", "lora", "lora-fa", "lora-plus", "milora"),
    *("miss", "pissa", "rslora", "vera"),
)
"""The methods that a study or quickstart trains where it names none, in alphabetical order."""


@cache
def _entry_points(kind: Kind) -> dict[str, Any]:
    return {point.name: point for point in entry_points(group=_GROUPS[kind])}


def plugin_names(kind: Kind) -> tuple[str, ...]:
    """Return the installed names of one kind, in alphabetical order, importing none of them."""
    return tuple(sorted(_entry_points(kind)))


def load_plugin(kind: Kind, name: str) -> Any:
    """Return what is registered under `name`: a class, or the function that makes a bench.

    A task's name may also be that of a problem set: a file, a folder, or `owner/name` on the Hub.

    Raises:
        InputError: no such name is installed; the message names the nearest one.
    """
    return _entry_points(kind)[expect_plugin(kind, name)].load()


def expect_plugin(kind: Kind, name: str) -> str:
    """Return the name that a plugin is registered under, importing nothing.

    Raises:
        InputError: see `load_plugin`.
    """
    points = _entry_points(kind)
    if kind == "task" and name not in points:
        if is_problem_file(name) or "/" in name or os.path.isdir(name):
            name = "jsonl"
        elif os.path.exists(name):
            ends = ", ".join(PROBLEM_FILES)
            said = f"{name} is no file of problems: these end with {ends}, or these and .gz"
            raise InputError(said)
    if name not in points:
        raise InputError(f"unknown {kind} {name!r}{nearest_plugin(name, points)}")
    return name
