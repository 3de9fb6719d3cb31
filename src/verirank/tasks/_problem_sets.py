"""The named training sets and benches, and any other data set by its Hub id or file."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from verirank.config import InputError, Section, nearest
from verirank.tasks._columns import Columns, problems_of
from verirank.tasks._hub import hub_rows
from verirank.tasks._problem import BenchSettings, Problem
from verirank.tasks._problem_file import FORMATS, read_problems

Kind = Literal["train", "bench"]
V = TypeVar("V")


class HubSet(Section):
    """A data set on the Hub: its id, commit, the pattern of its files, and its columns."""

    hub: str
    revision: str = "main"
    files: str = "*train*"
    columns: Columns = Columns()


class NamedSet(HubSet):
    """An entry of problem_sets.toml; `file` is the set's name in a folder of local copies."""

    file: str


class Bench(NamedSet):
    """A named evaluation set with its number of problems and the way it is sampled."""

    title: str
    problems: int
    samples: int
    temperature: float

    @property
    def settings(self) -> BenchSettings:
        """How the bench is sampled where a trial leaves it open: all its problems."""
        return BenchSettings(self.problems, self.samples, self.temperature)


@cache
def training_sets() -> dict[str, NamedSet]:
    """Return the named training sets."""
    return {name: NamedSet(**entry) for name, entry in _registry()["train"].items()}


@cache
def benches() -> dict[str, Bench]:
    """Return the named benches."""
    return {name: Bench(**entry) for name, entry in _registry()["bench"].items()}


def find_bench(name: str) -> Bench | None:
    """Return a named bench; case, hyphens and underscores of the name do not matter."""
    return _find(benches(), name)


def find_training_set(name: str) -> NamedSet | None:
    """Return a named training set; case, hyphens and underscores of the name do not matter."""
    return _find(training_sets(), name)


def read_bench(name: str, data_dir: str | None = None) -> list[Problem]:
    """Return all problems of a bench: a named one, from the Hub or a folder's `bench/`, or a file.

    Raises:
        InputError: there is no such bench, it cannot be read, or it lacks problems or answers.
    """
    bench = find_bench(name)
    if bench is None and name.endswith(FORMATS):
        return read_problems(name)
    if bench is None:
        raise InputError(f"no bench {name!r}{nearest(name, benches())}")
    problems = _read_named(bench, "bench", data_dir)
    if len(problems) != bench.problems:
        source = f"in {data_dir}" if data_dir else f"on the Hub ({bench.hub})"
        raise InputError(
            f"bench {name!r} {source} has {len(problems)} problems, not {bench.problems}"
        )
    return problems


def read_training_set(
    name: str, data_dir: str | None = None, unnamed: HubSet | None = None
) -> list[Problem]:
    """Return all problems of a training set.

    Args:
        name: a name of problem_sets.toml (case, hyphens and underscores do not matter); a file;
            the name of one in `data_dir`/train without its ending; or a Hub id, `owner/name`.
        data_dir: a folder of local copies, read instead of the Hub.
        unnamed: how a Hub id is to be read; its own columns by default.

    Raises:
        InputError: there is no such set, or it cannot be read.
    """
    named = find_training_set(name)
    if named is not None:
        return _read_named(named, "train", data_dir)
    if name.endswith(FORMATS):
        return read_problems(name)
    if "/" in name:
        return _read_hub(unnamed or HubSet(hub=name))
    if data_dir is not None:
        return read_problems(_local_file(data_dir, "train", name.replace("-", "_")))
    raise InputError(
        f"no training set {name!r}{nearest(name, training_sets())}; another one is given by its "
        "Hub id, owner/name"
    )


def _read_named(source: NamedSet, kind: Kind, data_dir: str | None) -> list[Problem]:
    if data_dir is None:
        return _read_hub(source)
    return read_problems(_local_file(data_dir, kind, source.file))


def _read_hub(source: HubSet) -> list[Problem]:
    rows = hub_rows(source.hub, source.revision, source.files)
    return problems_of(rows, source.columns, source.hub)


def _local_file(data_dir: str, kind: Kind, stem: str) -> str:
    place = Path(data_dir) / kind / stem
    for ending in FORMATS:
        if Path(f"{place}{ending}").is_file():
            return f"{place}{ending}"
    raise InputError(f"no file {place} that ends in one of {', '.join(FORMATS)}")


def _find(known: dict[str, V], name: str) -> V | None:
    return {_key(entry): value for entry, value in known.items()}.get(_key(name))


def _key(name: str) -> str:
    return re.sub(r"[-_]", "", name).casefold()


@cache
def _registry() -> dict[str, Any]:
    return tomllib.loads((files("verirank.tasks") / "problem_sets.toml").read_text("utf-8"))
