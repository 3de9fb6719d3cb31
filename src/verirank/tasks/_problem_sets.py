"""The named training sets and benches, and any other data set by its Hub id or file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from verirank.config import PROBLEM_FILES as FORMATS
from verirank.config import (
    InputError,
    Section,
    TaskConfig,
    is_problem_file,
    load_plugin,
    nearest,
    plugin_names,
)
from verirank.tasks._columns import Columns
from verirank.tasks._problem import BenchSettings, Problem
from verirank.tasks._problem_list import OnRemark, problems_of, to_stderr
from verirank.tasks.data_files import Choice, folder_rows, hub_rows, read_rows

Kind = Literal["train", "bench"]
V = TypeVar("V")


class HubSet(Section):
    """A data set on the Hub: its id, commit, which files are read, and its columns."""

    hub: str
    revision: str = "main"
    files: str | None = None
    split: str = "train"
    subset: str | None = None
    columns: Columns = Columns()

    @property
    def choice(self) -> Choice:
        """Which of its files are read."""
        return Choice(self.files, self.split, self.subset)


class HubSettings(TaskConfig):
    """How a data set of the Hub, or a folder that is laid out like one, is read.

    Args:
        revision: a commit, tag or branch; main by default.
        split: train by default.
        subset: what the README calls a config; the default one by default.
        files: a pattern of the files' paths instead of split and subset.
        columns: what the columns are called.
    """

    revision: str | None = None
    split: str | None = None
    subset: str | None = None
    files: str | None = None
    columns: Columns | None = None

    def describing(self) -> dict[str, Any]:
        """Return those of these settings that are set."""
        names = HubSettings.model_fields.keys() - {"name"}
        return {n: getattr(self, n) for n in sorted(names) if getattr(self, n) is not None}


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


def bench_names() -> tuple[str, ...]:
    """Return the benches of problem_sets.toml, then those of installed packages."""
    return (*benches(), *plugin_names("bench"))


def find_bench(name: str) -> Bench | None:
    """Return a named bench; case, hyphens and underscores of the name do not matter."""
    return _find(benches(), name)


def find_training_set(name: str) -> NamedSet | None:
    """Return a named training set; case, hyphens and underscores of the name do not matter."""
    return _find(training_sets(), name)


def read_bench(name: str, data_dir: str | None = None) -> list[Problem]:
    """Return all problems of a bench.

    It is one of problem_sets.toml, read from the Hub or a folder's `bench/`; one of an installed
    package, an entry point of `verirank.benches` that names a function returning the problems; or a
    file.

    Raises:
        InputError: there is no such bench, it cannot be read, or it lacks problems or answers.
    """
    bench = find_bench(name)
    if bench is None and is_problem_file(name):
        return read_set(name, {})
    if bench is None and name in plugin_names("bench"):
        return list(load_plugin("bench", name)())
    if bench is None:
        raise InputError(f"no bench {name!r}{nearest(name, bench_names())}")
    problems = _read_named(bench, "bench", data_dir)
    if len(problems) != bench.problems:
        source = f"in {data_dir}" if data_dir else f"on the Hub ({bench.hub})"
        raise InputError(
            f"bench {name!r} {source} has {len(problems)} problems, not {bench.problems}"
        )
    return problems


def read_training_set(
    name: str,
    data_dir: str | None = None,
    described: Mapping[str, Any] | None = None,
    on_remark: OnRemark = to_stderr,
) -> list[Problem]:
    """Return all problems of a training set.

    Args:
        name: a name of problem_sets.toml (case, hyphens and underscores do not matter); the name
            of a file in `data_dir`/train without its ending; or whatever `read_set` takes.
        data_dir: a folder of local copies, read instead of the Hub.
        described: as of `read_set`.
        on_remark: called with what a user should know of the columns and rows.

    Raises:
        InputError: there is no such set, or it cannot be read.
    """
    named = find_training_set(name)
    if named is not None:
        return _read_named(named, "train", data_dir)
    if is_problem_file(name) or "/" in name:
        return read_set(name, described or {}, on_remark)
    if data_dir is not None:
        return read_set(_local_file(data_dir, "train", name.replace("-", "_")), {}, on_remark)
    raise InputError(
        f"no training set {name!r}{nearest(name, training_sets())}; another one is given by its "
        "Hub id, owner/name"
    )


def read_set(
    name: str, described: Mapping[str, Any], on_remark: OnRemark = to_stderr
) -> list[Problem]:
    """Return all problems of a file, of a folder, or of a data set on the Hub.

    Args:
        name: a path, or `owner/name`.
        described: settings of `HubSet`; of a file, only its columns are described.
        on_remark: called with what a user should know of the columns and rows.

    Raises:
        InputError: it is not there or cannot be read, or rows of it cannot be used.
    """
    source = HubSet(hub=name, **described)
    if is_problem_file(name):
        if others := described.keys() - {"columns"}:
            raise InputError(f"task.{min(others)} is for folders and Hub ids; {name} is a file")
        return problems_of(read_rows(name), source.columns, name, on_remark)
    folder = Path(name).expanduser()
    if folder.is_dir():
        rows = folder_rows(folder, source.choice, f"folder {name}")
        return problems_of(rows, source.columns, name, on_remark)
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise InputError(
            f"there is no folder {name}; problems are a file ({', '.join(FORMATS)}), a folder, or "
            "owner/name on the Hub"
        )
    return _read_hub(source, on_remark)


def _read_named(source: NamedSet, kind: Kind, data_dir: str | None) -> list[Problem]:
    if data_dir is None:
        return _read_hub(source)
    return read_set(_local_file(data_dir, kind, source.file), {})


def _read_hub(source: HubSet, on_remark: OnRemark = to_stderr) -> list[Problem]:
    rows = hub_rows(source.hub, source.revision, source.choice)
    return problems_of(rows, source.columns, source.hub, on_remark)


def _local_file(data_dir: str, kind: Kind, stem: str) -> str:
    path = Path(data_dir) / kind / stem
    for ending in (*FORMATS, *(f"{ending}.gz" for ending in FORMATS)):
        if Path(f"{path}{ending}").is_file():
            return f"{path}{ending}"
    raise InputError(f"no file {path} that ends in one of {', '.join(FORMATS)}")


def _find(known: dict[str, V], name: str) -> V | None:
    return {_key(entry): value for entry, value in known.items()}.get(_key(name))


def _key(name: str) -> str:
    return re.sub(r"[-_]", "", name).casefold()


@cache
def _registry() -> dict[str, Any]:
    return tomllib.loads((files("verirank.tasks") / "problem_sets.toml").read_text("utf-8"))
