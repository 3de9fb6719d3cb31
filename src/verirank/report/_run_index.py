"""What was read of many runs, kept in one file, so that a large store is not read again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from verirank.record import Run, whole_file
from verirank.report._curve import Curve, read_curve
from verirank.report._samples import BenchSamples, bench_samples

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
        "benches": pa.list_(_BENCH),
    }
)
_PROBLEMS = b"problems/2"
"""Key of the file's metadata: the lists of problems, which thousands of runs share.

Its number counts the layouts of this file, so that one of another layout is begun anew."""


@dataclass(frozen=True)
class Reading:
    """What the report needs of a finished run: its settings, its training, its samples by bench."""

    settings: dict[str, Any]
    curve: Curve
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
                table = pq.read_table(self.path)
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
        samples = {bench: bench_samples(run, bench) for bench in run.benches}
        reading = Reading(run.settings, read_curve(run), samples)
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


def _stamp(run: Run) -> str:
    """Return when each of a run's files was written, and how large it is."""
    files = [run.folder / "trial.toml", run.folder / "metrics.jsonl"]
    files += sorted((run.folder / "eval").glob("*.parquet"))
    found = [(file.name, file.stat()) for file in files if file.is_file()]
    return ";".join(f"{name}:{now.st_mtime_ns}:{now.st_size}" for name, now in found)


def _packed(
    folder: str, stamp: str, reading: Reading, problems: dict[tuple[str, ...], int]
) -> dict[str, Any]:
    return {
        "folder": folder,
        "stamp": stamp,
        "settings": json.dumps(reading.settings, default=str),
        "curve": np.stack(astuple(reading.curve)).tobytes(),
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
    return row["stamp"], Reading(json.loads(row["settings"]), curve, samples)


def _arrays(bench: dict[str, Any], problems: int) -> Iterator[np.ndarray]:
    for stage in ("before", "after"):
        shape = (problems, bench[f"{stage}_k"])
        bits = np.unpackbits(np.frombuffer(bench[stage], np.uint8), count=shape[0] * shape[1])
        yield bits.reshape(shape).astype(np.bool_)
