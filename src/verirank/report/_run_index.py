"""What was read of many runs, kept in one file, so that a large store is not read again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from verirank.record import (
    Run,
    SamplesIncompleteError,
    read_parquet,
    read_trial,
    whole_file,
)
from verirank.report._curve import Curve, read_curve
from verirank.report._samples import BenchSamples, bench_samples

INDEX = "runs_index.parquet"
"""The file's name beside a report."""
_BENCH = pa.struct(
    {
        "name": pa.string(),
        "problems": pa.int32(),
        "before_k": pa.int32(),
        "after_k": pa.int32(),
        "before": pa.binary(),
        "after": pa.binary(),
    }
)
_SCHEMA = pa.schema(
    {
        "folder": pa.string(),
        "stamp": pa.string(),
        "settings": pa.string(),
        "curve": pa.binary(),
        "recorded": pa.string(),
        "benches": pa.list_(_BENCH),
    }
)
_FILES = ("trial.toml", "metrics.jsonl", "eval.json")
_PROBLEMS = b"problems/4"
"""Key of the file's metadata: the lists of problems, which thousands of runs share.

Its number counts the layouts of this file, so that one of another layout is begun anew."""


@dataclass(frozen=True)
class Reading:
    """What the report needs of a finished run: its settings, its training, its samples by bench.

    `settings` are JSON with sorted keys, all but the seed, so that they are one text for all seeds.
    `recorded` is the text of its eval.json, of no bench where there is none.
    """

    settings: str
    curve: Curve
    recorded: str
    samples: dict[str, BenchSamples]


@dataclass
class RunIndex:
    """What was read of which run, by its folder and its files' times of writing and sizes.

    The runs themselves stay the truth: one whose files changed is read again, and an index that
    cannot be read is begun anew.
    """

    path: Path | None = None
    _known: dict[str, tuple[str, Reading]] = field(default_factory=dict)
    _grew: bool = False

    def __post_init__(self) -> None:
        """Load what the file holds."""
        if self.path and self.path.is_file():
            try:
                table = read_parquet(self.path)
                lists = json.loads((table.schema.metadata or {})[_PROBLEMS])
                problems = [tuple(names) for names in lists]
                rows = table.to_pylist()
                self._known = {row["folder"]: _unpacked(row, problems) for row in rows}
            except (OSError, ValueError, KeyError, IndexError):
                self._known = {}

    def read(self, run: Run) -> Reading:
        """Return what the report needs of a finished run, as it is on disk now.

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
        reading = Reading(settings, read_curve(run), _recorded(run), samples)
        self._known[folder] = (stamp, reading)
        self._grew = True
        return reading

    def save(self) -> None:
        """Write the index, where there is a place for it and something is new."""
        if not self.path or not self._grew:
            return
        problems: dict[tuple[str, ...], int] = {}
        rows = [_packed(folder, *known, problems) for folder, known in self._known.items()]
        table = pa.Table.from_pylist(rows, schema=_SCHEMA)
        table = table.replace_schema_metadata({_PROBLEMS: json.dumps(list(problems))})
        with whole_file(self.path) as scratch:
            pq.write_table(table, scratch)


def _settings(run: Run) -> str:
    """Return a run's settings but for its seed, as JSON."""
    kept = {k: v for k, v in read_trial(run.folder / "trial.toml").items() if k != "seed"}
    return json.dumps(kept, sort_keys=True, default=str)


def _recorded(run: Run) -> str:
    """Return the scores that a run recorded, as JSON in its shortest form.

    Raises:
        ValueError: eval.json is not JSON.
    """
    return json.dumps(run.scores) if (run.folder / "eval.json").is_file() else "{}"


def _benches(run: Run, settings: str) -> list[str]:
    """Return the benches with samples on disk, in the order of the settings.

    Raises:
        SamplesIncompleteError: one of several that the settings name has none.
    """
    asked = json.loads(settings).get("evaluation", {}).get("benches", ())
    there = sorted(file.stem for file in (run.folder / "eval").glob("*.parquet"))
    if there and (missing := [bench for bench in asked if bench not in there]):
        raise SamplesIncompleteError(f"it was not evaluated on {', '.join(missing)}")
    return [*(b for b in asked if b in there), *(b for b in there if b not in asked)]


def _stamp(run: Run) -> str:
    """Return when each of a run's files was written, and how large it is."""
    folder = str(run.folder)
    found = [(name, _stat(f"{folder}/{name}")) for name in _FILES]
    try:
        with os.scandir(f"{folder}/eval") as files:
            benches = [(file.name, file.stat()) for file in files if file.name.endswith(".parquet")]
    except FileNotFoundError:
        benches = []
    told = [*found, *sorted(benches)]
    return ";".join(f"{name}:{now.st_mtime_ns}:{now.st_size}" for name, now in told if now)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _packed(
    folder: str, stamp: str, reading: Reading, problems: dict[tuple[str, ...], int]
) -> dict[str, Any]:
    return {
        "folder": folder,
        "stamp": stamp,
        "settings": reading.settings,
        "curve": np.stack(astuple(reading.curve)).tobytes(),
        "recorded": reading.recorded,
        "benches": [
            {
                "name": name,
                "problems": problems.setdefault(samples.problems, len(problems)),
                "before_k": samples.before_PK.shape[1],
                "after_k": samples.after_PK.shape[1],
                "before": np.packbits(samples.before_PK).tobytes(),
                "after": np.packbits(samples.after_PK).tobytes(),
            }
            for name, samples in reading.samples.items()
        ],
    }


def _unpacked(row: dict[str, Any], problems: list[tuple[str, ...]]) -> tuple[str, Reading]:
    curve = Curve(*np.frombuffer(row["curve"], np.float64).reshape(len(fields(Curve)), -1))
    samples = {
        bench["name"]: BenchSamples(
            problems[bench["problems"]], *_arrays(bench, len(problems[bench["problems"]]))
        )
        for bench in row["benches"]
    }
    return row["stamp"], Reading(row["settings"], curve, row["recorded"], samples)


def _arrays(bench: dict[str, Any], problems: int) -> Iterator[np.ndarray]:
    for stage in ("before", "after"):
        shape = (problems, bench[f"{stage}_k"])
        bits = np.unpackbits(np.frombuffer(bench[stage], np.uint8), count=shape[0] * shape[1])
        yield bits.view(np.bool_).reshape(shape)
