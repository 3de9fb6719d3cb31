"""A cache of finished runs in SQLite, so that a large store is read once."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from verirank.record._bench_samples import BenchSamples, bench_samples
from verirank.record._curve import Curve, read_curve
from verirank.record._run import Run
from verirank.record._samples import SamplesIncompleteError

RUN_INDEX = "runs_index.sqlite"
"""Name of the index file, beside a report."""
_LAYOUT = 3
"""Version of the tables; an index of another version is deleted and rebuilt."""
_TABLES = f"""
pragma user_version = {_LAYOUT};
create table texts (id integer primary key, text text unique);
create table runs (
    folder text primary key, stamp text, settings integer, curve blob, recorded text);
create table samples (
    folder text, bench text, problems integer, before_k integer, after_k integer,
    before blob, after blob);
create index samples_of on samples (folder);
"""
_CURVE = tuple(column.name for column in fields(Curve))
_Problems = tuple[tuple[str, ...], tuple[str, ...] | None]
"""Ids and groups of problems."""
_FILES = ("trial.toml", "metrics.jsonl", "eval.json")


@dataclass(frozen=True)
class RunContent:
    """A finished run in memory: its settings, training curve, scores, and samples by bench.

    `settings` is JSON with sorted keys and without the seed, so it is the same text for all seeds
    of an arm. `scores` is the JSON text of eval.json, `{}` if the run has none.
    """

    settings: str
    curve: Curve
    scores: str
    samples: dict[str, BenchSamples]


@dataclass
class RunIndex:
    """A cache of run contents, keyed by folder and by the times and sizes of the run's files.

    A run whose files changed is read again, and a damaged index is rebuilt.
    """

    path: Path | None = None
    _known: dict[str, tuple[str, RunContent]] = field(default_factory=dict)
    _new: dict[str, tuple[str, RunContent]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Load the index file if it exists."""
        if self.path and self.path.is_file():
            try:
                with _opened(self.path) as database:
                    self._known = _load(database)
            except (sqlite3.DatabaseError, ValueError, KeyError):
                self.path.unlink()

    def read(self, run: Run) -> RunContent:
        """Return the content of a finished run, from the cache if its files are unchanged.

        Raises:
            OSError, ValueError: a file of the run is missing or cannot be read, or its samples are
                incomplete.
        """
        folder, stamp = str(run.folder), _stamp(run)
        known = self._known.get(folder)
        if known and known[0] == stamp:
            return known[1]
        settings = _settings(run)
        samples = {bench: bench_samples(run, bench) for bench in _benches(run, settings)}
        content = RunContent(settings, read_curve(run), _scores(run), samples)
        self._new[folder] = (stamp, content)
        return content

    def save(self) -> None:
        """Write the newly read runs to the index file in one transaction."""
        if not self.path or not self._new:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _opened(self.path) as database, database:
            for folder, known in self._new.items():
                _store(database, folder, *known)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to an index whose tables exist.

    Raises:
        sqlite3.DatabaseError: the file is not a database, or has another layout.
    """
    with closing(sqlite3.connect(path)) as database:
        (layout,) = database.execute("pragma user_version").fetchone()
        if not layout:
            database.executescript(_TABLES)
        elif layout != _LAYOUT:
            raise sqlite3.DatabaseError(f"{path} has layout {layout}")
        yield database


def _settings(run: Run) -> str:
    """Return a run's settings without the seed, as JSON."""
    kept = {k: v for k, v in run.settings.items() if k != "seed"}
    return json.dumps(kept, sort_keys=True, default=str)


def _scores(run: Run) -> str:
    """Return the run's scores as JSON without indentation.

    Raises:
        ValueError: eval.json is not JSON.
    """
    return json.dumps(run.scores)


def _benches(run: Run, settings: str) -> list[str]:
    """Return the benches with samples on disk, those of the settings first.

    Raises:
        SamplesIncompleteError: a bench of the settings has no samples while another bench has.
    """
    configured = json.loads(settings).get("evaluation", {}).get("benches", ())
    sampled = sorted(file.stem for file in (run.folder / "eval").glob("*.parquet"))
    if sampled and (missing := [bench for bench in configured if bench not in sampled]):
        raise SamplesIncompleteError(f"it was not evaluated on {', '.join(missing)}")
    others = [bench for bench in sampled if bench not in configured]
    return [*(bench for bench in configured if bench in sampled), *others]


def _stamp(run: Run) -> str:
    """Return the modification time and size of each of a run's files as text."""
    folder = str(run.folder)
    single = [(name, _stat(f"{folder}/{name}")) for name in _FILES]
    try:
        with os.scandir(f"{folder}/eval") as files:
            benches = [(file.name, file.stat()) for file in files if file.name.endswith(".parquet")]
    except FileNotFoundError:
        benches = []
    files_of_run = [*single, *sorted(benches)]
    return ";".join(
        f"{name}:{stat.st_mtime_ns}:{stat.st_size}" for name, stat in files_of_run if stat
    )


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _store(database: sqlite3.Connection, folder: str, stamp: str, content: RunContent) -> None:
    curve = np.stack([getattr(content.curve, name) for name in _CURVE]).tobytes()
    settings = _text_id(database, content.settings)
    row = (folder, stamp, settings, curve, content.scores)
    database.execute("insert or replace into runs values (?, ?, ?, ?, ?)", row)
    database.execute("delete from samples where folder = ?", (folder,))
    for bench, samples in content.samples.items():
        problems = _text_id(database, json.dumps([samples.problems, samples.groups]))
        stages = (samples.before_PK, samples.after_PK)
        counts, bits = [s.shape[1] for s in stages], [np.packbits(s).tobytes() for s in stages]
        row = (folder, bench, problems, *counts, *bits)
        database.execute("insert into samples values (?, ?, ?, ?, ?, ?, ?)", row)


def _text_id(database: sqlite3.Connection, text: str) -> int:
    """Return the key of a text, which is stored once for all runs that contain it."""
    database.execute("insert or ignore into texts (text) values (?)", (text,))
    return database.execute("select id from texts where text = ?", (text,)).fetchone()[0]


def _load(database: sqlite3.Connection) -> dict[str, tuple[str, RunContent]]:
    texts = dict(database.execute("select id, text from texts"))
    problems: dict[int, _Problems] = {}
    samples: dict[str, dict[str, BenchSamples]] = defaultdict(dict)
    for folder, bench, key, *arrays in database.execute("select * from samples order by rowid"):
        if key not in problems:
            names, groups = json.loads(texts[key])
            problems[key] = tuple(names), None if groups is None else tuple(groups)
        samples[folder][bench] = _unpacked(*problems[key], *arrays)
    return {
        folder: (stamp, RunContent(texts[settings], _curve(curve), recorded, samples[folder]))
        for folder, stamp, settings, curve, recorded in database.execute("select * from runs")
    }


def _curve(content: bytes) -> Curve:
    return Curve(*np.frombuffer(content, np.float64).reshape(len(_CURVE), -1))


def _unpacked(
    problems: tuple[str, ...],
    groups: tuple[str, ...] | None,
    before_k: int,
    after_k: int,
    before: bytes,
    after: bytes,
) -> BenchSamples:
    shapes = ((len(problems), k) for k in (before_k, after_k))
    arrays = (
        np.unpackbits(np.frombuffer(bits, np.uint8), count=P * K).view(np.bool_).reshape(P, K)
        for bits, (P, K) in zip((before, after), shapes, strict=True)
    )
    return BenchSamples(problems, *arrays, groups=groups)
